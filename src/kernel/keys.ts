import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

export interface MasterKey { id: string, bytes: Buffer }

/** Seals bytes of one owner (user, account, workspace) under its own data key; `aad` binds the text to its place. */
export interface KeyRing {
  seal (owner: string, plain: Buffer, aad: string): Promise<Buffer>
  /** Throws `identity.key_unknown` where the key is not at hand, `identity.cipher_invalid` where the text was moved. */
  open (owner: string, cipher: Buffer, aad: string): Promise<Buffer>
}

/** One key per purpose, 32 bytes, HKDF-SHA-256 of a master key. */
export function deriveKey (master: MasterKey, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master.bytes, Buffer.alloc(0), `switchyard:${purpose}`, 32))
}

/** Signs with the current key and verifies with any that is still listed. */
export interface Signer {
  keyId: string
  sign (text: string): string
  verify (text: string, keyId: string, mac: string): boolean
}

/** HMAC-SHA-256 over texts, base64url; the first master key signs. */
export function createSigner (masters: readonly MasterKey[], purpose: string): Signer {
  const current = masters[0]
  if (current === undefined) throw new Error('MASTER_KEYS is empty')
  const keys = new Map(masters.map((master) => [master.id, deriveKey(master, purpose)]))
  const macOf = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  return {
    keyId: current.id,
    sign: (text) => macOf(keys.get(current.id) as Buffer, text).toString('base64url'),
    verify: (text, keyId, mac) => {
      const key = keys.get(keyId)
      const given = Buffer.from(mac, 'base64url')
      return key !== undefined && given.length === 32 && timingSafeEqual(macOf(key, text), given)
    }
  }
}
