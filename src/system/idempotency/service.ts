import { createHash, randomBytes } from 'node:crypto'
import { HttpError, type Clock, type Session } from '../../kernel/index.ts'
import type { IdempotencyRepository, KeyEntry, StoredAnswer } from './repository.ts'

export interface IdempotentCall {
  workspaceId: string
  principal: string
  method: string
  route: string
  key: string
  /** Everything that makes two calls the same call. */
  input: unknown
  /** Where the effect can be seen, should its answer be lost. */
  location: string
  /** Milliseconds until the call is given up. */
  timeoutMs: number
}

/** The right to do the effect of one key. */
export interface Held { id: string, lock: string }

export type Begun =
  | { kind: 'new', held: Held }
  | { kind: 'replay', answer: StoredAnswer }
  | { kind: 'effected', location: string }

const keepMs = 72 * 3600 * 1000
const graceMs = 5000

export type IdempotencyService = ReturnType<typeof createIdempotencyService>

export function createIdempotencyService ({ keys, clock }: { keys: IdempotencyRepository, clock: Clock }) {
  function judge (entry: KeyEntry, fingerprint: string): Begun | undefined {
    if (entry.fingerprint !== fingerprint) throw HttpError.idempotency_key_reused()
    if (entry.answer !== undefined) return { kind: 'replay', answer: entry.answer }
    if (entry.state === 'effected' && entry.lockedUntil <= clock.now()) {
      return { kind: 'effected', location: entry.location }
    }
    if (entry.lockedUntil > clock.now()) throw HttpError.idempotency_in_progress({}, { retryAfterMs: 1000 })
    return undefined
  }

  return {
    /** Claims the key, or says what came of it. Throws `idempotency_key_reused` and `idempotency_in_progress`. */
    async begin (call: IdempotentCall): Promise<Begun> {
      const id = digest([call.workspaceId, call.principal, call.method, call.route, call.key])
      const fingerprint = digest([call.method, call.route, call.input])
      const lock = randomBytes(12).toString('base64url')
      const lockedUntil = new Date(clock.ms() + call.timeoutMs + graceMs)
      const { workspaceId, location } = call
      const isNew = await keys.insert(
        { id, workspaceId, fingerprint, state: 'running', lock, lockedUntil, location }, new Date(clock.ms() + keepMs))
      if (isNew) return { kind: 'new', held: { id, lock } }
      const entry = await keys.find(id)
      // Released between the two calls: its request had no effect.
      if (entry === undefined) throw HttpError.idempotency_in_progress({}, { retryAfterMs: 1000 })
      const begun = judge(entry, fingerprint)
      if (begun !== undefined) return begun
      const isMine = await keys.takeOver(id, entry.lock, lock, clock.now(), lockedUntil)
      if (!isMine) throw HttpError.idempotency_in_progress({}, { retryAfterMs: 1000 })
      return { kind: 'new', held: { id, lock } }
    },

    /** Commits together with the effect. Throws where another request took the key over: one effect, ever. */
    async effect (session: Session, { id, lock }: Held): Promise<void> {
      if (!await keys.effect(session, id, lock)) throw HttpError.idempotency_in_progress({}, { retryAfterMs: 1000 })
    },

    finish: async ({ id, lock }: Held, answer: StoredAnswer) => { await keys.finish(id, lock, answer) },
    release: async ({ id, lock }: Held) => { await keys.release(id, lock) }
  }
}

function digest (parts: unknown[]): string {
  return createHash('sha256').update(canonical(parts)).digest('hex')
}

/** JSON with sorted keys. */
function canonical (value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1))
  }) ?? 'null'
}
