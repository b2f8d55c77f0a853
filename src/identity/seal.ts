import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { IdentityError } from './errors.ts'

const version = 1
const head = 13
const tagBytes = 16

/** AES-256-GCM: version byte, fresh 96-bit IV, cipher text, tag; `aad` binds it to its place. */
export function sealBytes (key: Buffer, plain: Buffer, aad: string): Buffer {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(aad))
  return Buffer.concat([Buffer.from([version]), iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws `cipher_invalid` where a byte, the key or the place is not the one of `sealBytes`. */
export function openBytes (key: Buffer, sealed: Buffer, aad: string): Buffer {
  if (sealed.length < head + tagBytes || sealed[0] !== version) throw IdentityError.cipher_invalid()
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, head), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(head, -tagBytes)), decipher.final()])
  } catch (cause) {
    throw IdentityError.cipher_invalid({}, { cause })
  }
}
