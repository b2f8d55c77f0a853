import type { Signer } from '../kernel/index.ts'
import { MediaError } from './errors.ts'
import { extensions } from './presets.ts'

const hourS = 3600

export interface FileLinks { url: string, thumbUrl: string, expiresAt: string }

/** A signed address as it came; every part may be forged. */
export interface LinkInput {
  workspaceId: string
  hash: string
  /** `<preset>.<extension>` */
  name: string
  e?: string | undefined
  k?: string | undefined
  s?: string | undefined
  d?: string | undefined
}

export interface Links {
  of (target: { workspaceId: string, hash: string, preset: string, type: string }, expiresS: number): string
  /** Seconds that the address has left. Throws `link_invalid`, `link_expired`. */
  judge (link: LinkInput, nowMs: number): number
}

/** The second at which addresses made now expire: in one to two hours, the same for an hour, so that caches hit. */
export function expiryOf (nowMs: number): number {
  return (Math.floor(nowMs / 1000 / hourS) + 2) * hourS
}

/** Signs and judges addresses of files (`media.md` 4.9). */
export function createLinks (signer: Signer, origin: string): Links {
  return {
    of ({ workspaceId, hash, preset, type }, expiresS) {
      const path = `/m/${workspaceId}/${hash}/${preset}.${extensions[type]}`
      const mac = signer.sign(textOf(path, String(expiresS), '', signer.keyId))
      return `${origin}${path}?e=${expiresS}&k=${signer.keyId}&s=${mac}`
    },
    judge ({ workspaceId, hash, name, e = '', k = '', s = '', d = '' }, nowMs) {
      const path = `/m/${workspaceId}/${hash}/${name}`
      if (!signer.verify(textOf(path, e, d, k), k, s)) throw MediaError.link_invalid()
      const leftS = Number(e) - Math.floor(nowMs / 1000)
      if (!(leftS > 0)) throw MediaError.link_expired()
      return leftS
    }
  }
}

function textOf (path: string, expires: string, disposition: string, keyId: string): string {
  return `GET\n${path}\n${expires}\n${disposition}\n${keyId}`
}
