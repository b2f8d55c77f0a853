import { randomBytes } from 'node:crypto'
import { deriveKey, type Clock, type KeyRing, type MasterKey } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'
import { createLru } from './lru.ts'
import type { KeyRepository } from './repository/keys.ts'
import { openBytes, sealBytes } from './seal.ts'

const keptMs = 300_000

/** Wraps small secrets (data keys, signing keys) under the master keys; the first wraps, any listed one unwraps. */
export interface Wrapper {
  keyId: string
  wrap (plain: Buffer, aad: string): Buffer
  /** Throws `key_unknown`, `cipher_invalid`. */
  unwrap (keyId: string, wrapped: Buffer, aad: string): Buffer
}

export function createWrapper (masters: readonly MasterKey[]): Wrapper {
  const current = masters[0]
  if (current === undefined) throw new Error('MASTER_KEYS is empty')
  const keys = new Map(masters.map((master) => [master.id, deriveKey(master, 'wrapping')]))
  const keyOf = (id: string): Buffer => {
    const key = keys.get(id)
    if (key === undefined) throw IdentityError.key_unknown()
    return key
  }
  return {
    keyId: current.id,
    wrap: (plain, aad) => sealBytes(keyOf(current.id), plain, aad),
    unwrap: (keyId, wrapped, aad) => openBytes(keyOf(keyId), wrapped, aad)
  }
}

/** One data key per owner, made at its first sealing, wrapped by the master key (`identity.md` 4.1). */
export function createKeyRing (
  { wrapper, keys, clock }: { wrapper: Wrapper, keys: KeyRepository, clock: Clock }
): KeyRing {
  const opened = createLru<Promise<Buffer>>(10_000)

  async function unwrap (owner: string, row: { keyId: string, wrapped: Buffer }): Promise<Buffer> {
    return wrapper.unwrap(row.keyId, row.wrapped, `data-key ${owner}`)
  }
  async function make (owner: string): Promise<Buffer> {
    const wrapped = wrapper.wrap(randomBytes(32), `data-key ${owner}`)
    const row = await keys.addDataKey(owner, { keyId: wrapper.keyId, wrapped, createdAt: clock.now() })
    return await unwrap(owner, row)
  }
  async function find (owner: string): Promise<Buffer> {
    const row = await keys.findDataKey(owner)
    if (row === undefined) throw IdentityError.cipher_invalid()
    return await unwrap(owner, row)
  }
  async function keyOf (owner: string, load: (owner: string) => Promise<Buffer>): Promise<Buffer> {
    const now = clock.ms()
    const kept = opened.get(owner, now)
    if (kept !== undefined) return await kept
    const loading = load(owner)
    opened.set(owner, loading, now + keptMs)
    loading.catch(() => { opened.delete(owner) })
    return await loading
  }
  return {
    async seal (owner, plain, aad) {
      const key = await keyOf(owner, async (name) => {
        const row = await keys.findDataKey(name)
        return row === undefined ? await make(name) : await unwrap(name, row)
      })
      return sealBytes(key, plain, `${owner}\n${aad}`)
    },
    async open (owner, cipher, aad) {
      return openBytes(await keyOf(owner, find), cipher, `${owner}\n${aad}`)
    }
  }
}
