import { createHmac, timingSafeEqual } from 'node:crypto'
import { deriveKey, type MasterKey } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'

/** What a refresh token says: the session and its counter; the same counter always gives the same bytes. */
export interface RefreshClaims { userId: string, sessionId: string, counter: number }

export interface RefreshTokens {
  make (claims: RefreshClaims): string
  /** Throws `token_invalid`. */
  read (token: string): RefreshClaims
}

const prefix = 'syr1.'
const version = 1
const macBytes = 16
const greatest = 2 ** 31

/** `syr1.` + base64url(version, key id, userId 16, sid 16, counter varint, MAC 16): nothing secret is stored. */
export function createRefreshTokens (masters: readonly MasterKey[]): RefreshTokens {
  const current = masters[0]
  if (current === undefined) throw new Error('MASTER_KEYS is empty')
  const keys = new Map(masters.map((master) => [master.id, deriveKey(master, 'refresh-mac')]))
  const macOf = (key: Buffer, bytes: Buffer): Buffer =>
    createHmac('sha256', key).update(bytes).digest().subarray(0, macBytes)
  return {
    make ({ userId, sessionId, counter }) {
      const body = Buffer.concat([
        Buffer.from([version, current.id.length]), Buffer.from(current.id, 'latin1'),
        uuidBytes(userId), uuidBytes(sessionId), varint(counter)
      ])
      return prefix + Buffer.concat([body, macOf(keys.get(current.id) as Buffer, body)]).toString('base64url')
    },
    read (token) {
      const bytes = decode(token)
      const body = bytes.subarray(0, -macBytes)
      const idEnd = 2 + (body[1] ?? 0)
      const key = keys.get(body.subarray(2, idEnd).toString('latin1'))
      if (body[0] !== version || key === undefined) throw IdentityError.token_invalid()
      if (!timingSafeEqual(macOf(key, body), bytes.subarray(-macBytes))) throw IdentityError.token_invalid()
      return {
        userId: uuidOf(body.subarray(idEnd, idEnd + 16)),
        sessionId: uuidOf(body.subarray(idEnd + 16, idEnd + 32)),
        counter: readVarint(body.subarray(idEnd + 32))
      }
    }
  }
}

function decode (token: string): Buffer {
  if (!token.startsWith(prefix) || token.length > 200) throw IdentityError.token_invalid()
  const text = token.slice(prefix.length)
  const bytes = Buffer.from(text, 'base64url')
  // One token has one spelling: stray bits or padding make another text of the same bytes.
  if (bytes.length < 2 + 33 + macBytes || bytes.toString('base64url') !== text) throw IdentityError.token_invalid()
  return bytes
}

function uuidBytes (id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

function uuidOf (bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function varint (value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}

function readVarint (bytes: Buffer): number {
  let value = 0
  for (const [index, byte] of bytes.entries()) value += (byte & 0x7f) * 2 ** (7 * index)
  if (value >= greatest) throw IdentityError.token_invalid()
  return value
}
