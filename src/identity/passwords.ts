import { availableParallelism } from 'node:os'
import { performance } from 'node:perf_hooks'
import { hash, verify } from '@node-rs/argon2'
import { deriveKey, type MasterKey } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'

/** Argon2id, 19 MiB, two passes (`identity.md` 4.7); algorithm 2 is Argon2id. */
const parameters = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
const current = '$argon2id$v=19$m=19456,t=2,p=1$'
const longestWaitMs = 2000

export interface Hashed { phc: string, pepper: string }

/** As many hashes at once as cores; who would wait longer than two seconds is refused before any work. */
export interface Passwords {
  hash (password: string): Promise<Hashed>
  /** Compares; an unknown account is compared with a fixed hash, so that both take the same time. */
  verify (password: string, stored: Hashed | undefined): Promise<boolean>
  isOutdated (stored: Hashed): boolean
}

export function createPasswords (masters: readonly MasterKey[], cores = availableParallelism()): Passwords {
  const master = masters[0]
  if (master === undefined) throw new Error('MASTER_KEYS is empty')
  const peppers = new Map(masters.map((one) => [one.id, deriveKey(one, 'pepper')]))
  const pool = createPool(cores)
  let nobody: Promise<Hashed> | undefined

  async function make (password: string): Promise<Hashed> {
    const phc = await hash(normalize(password), { ...parameters, secret: peppers.get(master?.id ?? '') as Buffer })
    return { phc, pepper: master?.id ?? '' }
  }
  return {
    hash: async (password) => await pool(async () => await make(password)),
    async verify (password, stored) {
      nobody ??= pool(async () => await make('an account that does not exist'))
      const { phc, pepper } = stored ?? await nobody
      const secret = peppers.get(pepper)
      if (secret === undefined) throw IdentityError.key_unknown()
      const isRight = await pool(async () => await verify(phc, normalize(password), { secret }))
      return isRight && stored !== undefined
    },
    isOutdated: ({ phc, pepper }) => !phc.startsWith(current) || pepper !== master.id
  }
}

/** Throws `weak_password` with the reasons. */
export function checkPolicy (password: string, email: string): void {
  const length = [...normalize(password)].length
  const local = email.split('@', 1)[0] ?? ''
  const folded = password.toLowerCase()
  const reasons = [
    ...(length < 15 ? ['too_short'] : []),
    ...(length > 256 ? ['too_long'] : []),
    ...(folded.includes(email.toLowerCase()) || (local.length >= 5 && folded.includes(local.toLowerCase()))
      ? ['contains_address']
      : [])
  ]
  if (reasons.length > 0) throw IdentityError.weak_password({ reasons })
}

function normalize (password: string): string {
  return password.normalize('NFC')
}

function createPool (cores: number) {
  const waiting: Array<() => void> = []
  let running = 0
  let meanMs = 50
  return async function run<T> (work: () => Promise<T>): Promise<T> {
    const expectedMs = waiting.length * meanMs / cores
    if (expectedMs > longestWaitMs) throw IdentityError.hasher_busy({}, { retryAfterMs: Math.ceil(expectedMs) })
    if (running >= cores) await new Promise<void>((resolve) => { waiting.push(resolve) })
    else running++
    const startedAt = performance.now()
    try {
      return await work()
    } finally {
      meanMs += (performance.now() - startedAt - meanMs) / 8
      // The place is handed on, so nobody slips in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
