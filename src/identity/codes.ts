import { randomInt } from 'node:crypto'
import type { KeyRing, Signer } from '../kernel/index.ts'

/** Six digits, known as a MAC; the digits themselves stand sealed until the mail is rendered. */
export interface StoredCode { mac: string, keyId: string, sealed: Buffer, expiresAt: Date }

export interface Codes {
  make (flowId: string, purpose: string, expiresAt: Date): Promise<StoredCode>
  isRight (flowId: string, purpose: string, code: string, stored: StoredCode): boolean
  open (flowId: string, purpose: string, sealed: Buffer): Promise<string>
}

const owner = 'flows'

export function createCodes ({ signer, keyRing }: { signer: Signer, keyRing: KeyRing }): Codes {
  const textOf = (...parts: string[]): string => parts.join('\n')
  return {
    async make (flowId, purpose, expiresAt) {
      const code = String(randomInt(1_000_000)).padStart(6, '0')
      const sealed = await keyRing.seal(owner, Buffer.from(code), textOf(flowId, purpose))
      return { mac: signer.sign(textOf(flowId, purpose, code)), keyId: signer.keyId, sealed, expiresAt }
    },
    isRight: (flowId, purpose, code, { keyId, mac }) => signer.verify(textOf(flowId, purpose, code), keyId, mac),
    async open (flowId, purpose, sealed) {
      return (await keyRing.open(owner, sealed, textOf(flowId, purpose))).toString()
    }
  }
}
