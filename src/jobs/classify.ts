import { isDomainError } from '../kernel/index.ts'
import type { Backoff } from './queues.ts'

/** Why a start ended without success (`jobs.md` 4.4). */
export type Cause =
  | 'transient' | 'throttled' | 'circuit_open' | 'conflict' | 'not_ready' | 'timeout' | 'bug'
  | 'permanent' | 'contract' | 'poison' | 'shutdown' | 'cancelled'

export interface Classified {
  cause: Cause
  /** Stable word for lists and fingerprints: code of the error, else its name. */
  code: string
  message: string
  /** Throttled, circuit_open, not_ready: how long to wait. */
  waitMs?: number
}

/** Thrown by `ctx.wait`: the run is not ready yet. */
export class WaitSignal extends Error {
  override readonly name = 'WaitSignal'
  readonly untilMs: number

  constructor (untilMs: number) {
    super('the run waits')
    this.untilMs = untilMs
  }
}

/** Why the signal of a run was aborted by the runtime. */
export class RunAborted extends Error {
  override readonly name = 'RunAborted'
  readonly reason: 'timeout' | 'shutdown' | 'superseded' | 'cancelled' | 'lock_lost'

  constructor (reason: RunAborted['reason']) {
    super(`the run was ended: ${reason}`)
    this.reason = reason
  }
}

const transientCodes = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN',
  'ENOSPC',
  'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_SOCKET', 'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'HPE_INVALID_CONSTANT', 'NR_CLOSED',
  'ERR_STREAM_PREMATURE_CLOSE', 'ECONNECTION', 'ESOCKET', 'EENVELOPE'
])
const transientNames = new Set([
  'MongoNetworkError', 'MongoNetworkTimeoutError', 'MongoServerSelectionError', 'MongoPoolClearedError',
  'MongoNotConnectedError', 'MongoTopologyClosedError', 'MongoOperationTimeoutError', 'MaxRetriesPerRequestError',
  'ReplyError', 'ConnectionTimeoutError', 'TimeoutError'
])
const dayMs = 86_400_000
/** A start that lost its run or its lock, or the process of which ends, costs no attempt. */
const abortCauses: Record<RunAborted['reason'], Cause> = {
  timeout: 'timeout', cancelled: 'cancelled', shutdown: 'shutdown', superseded: 'shutdown', lock_lost: 'shutdown'
}

interface Shape {
  name?: string
  code?: string | number
  status?: number
  statusCode?: number
  responseCode?: number
  retryAfterMs?: number
  cause?: unknown
  hasErrorLabel?: (label: string) => boolean
}

/** Judges what a handler threw; pure. `random` in [0, 1) spreads the waits. */
export function classify (error: unknown, nowMs: number, random: () => number = Math.random): Classified {
  const said = { code: codeOf(error), message: messageOf(error) }
  if (error instanceof WaitSignal) {
    return { ...said, cause: 'not_ready', waitMs: clamp(error.untilMs - nowMs, 5000, dayMs) }
  }
  if (error instanceof RunAborted) {
    return { ...said, cause: abortCauses[error.reason] }
  }
  // Data of another shape or version, at whichever end it shows.
  if (isDomainError(error, 'jobs.schema_mismatch')) return { ...said, cause: 'contract' }
  if (isDomainError(error)) return { ...said, ...byKind(error.kind, error.options.retryAfterMs, random) }
  return { ...said, ...byShape(typeof error === 'object' && error !== null ? error as Shape : {}, nowMs, random) }
}

function byKind (
  kind: string, retryAfterMs: number | undefined, random: () => number
): Pick<Classified, 'cause' | 'waitMs'> {
  if (kind === 'rate_limited') return { cause: 'throttled', waitMs: asAsked(retryAfterMs ?? 30_000, random) }
  if (kind !== 'unavailable') return { cause: 'permanent' }
  return retryAfterMs === undefined
    ? { cause: 'transient' }
    : { cause: 'throttled', waitMs: asAsked(retryAfterMs, random) }
}

function byShape (error: Shape, nowMs: number, random: () => number): Pick<Classified, 'cause' | 'waitMs'> {
  if (error.name === 'CircuitOpenError') {
    return {
      cause: 'circuit_open', waitMs: clamp(error.retryAfterMs ?? 10_000, 100, dayMs)
    }
  }
  if (isWriteConflict(error)) return { cause: 'conflict' }
  const status = error.status ?? error.statusCode
  if (typeof status === 'number') return byStatus(status, error.retryAfterMs, random)
  if (isTransient(error)) return { cause: 'transient' }
  // fetch and the drivers wrap what really happened.
  if (typeof error.cause === 'object' && error.cause !== null && error.cause !== error) {
    const { cause, code, message, ...rest } = classify(error.cause, nowMs, random)
    return { cause, ...rest }
  }
  return { cause: 'bug' }
}

function byStatus (
  status: number, retryAfterMs: number | undefined, random: () => number
): Pick<Classified, 'cause' | 'waitMs'> {
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
    return { cause: 'throttled', waitMs: asAsked(retryAfterMs ?? 30_000, random) }
  }
  if (status === 408 || status >= 500) return { cause: 'transient' }
  return { cause: status >= 400 ? 'permanent' : 'bug' }
}

function isWriteConflict (error: Shape): boolean {
  return error.code === 112 || (error.hasErrorLabel?.('TransientTransactionError') === true && !isTransient(error))
}

function isTransient (error: Shape): boolean {
  if (transientNames.has(error.name ?? '') || transientCodes.has(String(error.code))) return true
  // The driver wraps a lost connection as if it were the refusal of a document, which has a code.
  if (error.name === 'MongoBulkWriteError' && error.code === undefined) return true
  // SMTP: 4yz asks to come again.
  if (typeof error.responseCode === 'number') return error.responseCode >= 400 && error.responseCode < 500
  return error.hasErrorLabel?.('RetryableWriteError') === true
}

function codeOf (error: unknown): string {
  if (isDomainError(error)) return error.code
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as Shape
  return String(code ?? name ?? typeof error).slice(0, 128)
}

function messageOf (error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}

function asAsked (ms: number, random: () => number): number {
  return Math.round(clamp(ms, 0, dayMs) * (1 + random() * 0.1))
}

function clamp (value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value))
}

/** What becomes of the run. `attempt` = counted starts before this one. */
export type Verdict =
  | { kind: 'again', afterMs: number, isCounted: boolean }
  | { kind: 'dead' }
  | { kind: 'cancelled' }

export interface Policy { attempts: number, backoff: Backoff }

interface Start {
  attempt: number
  /** Uncounted conflicts and the like that this run had before. */
  conflicts: number
  hasSteps: boolean
  timeouts: number
}

/** The taxonomy of `jobs.md` 4.4 as a table; pure. */
export function judge (
  { cause, waitMs = 0 }: Classified, start: Start, policy: Policy, random: () => number = Math.random
): Verdict {
  const again = (afterMs: number, isCounted: boolean, most = policy.attempts): Verdict =>
    isCounted && start.attempt + 1 >= most ? { kind: 'dead' } : { kind: 'again', afterMs, isCounted }
  const wait = (): Verdict => again(waitMs, false)
  const dead = (): Verdict => ({ kind: 'dead' })
  const verdicts: Record<Cause, () => Verdict> = {
    transient: () => again(backoffMs(policy.backoff, start.attempt, random), true),
    throttled: wait,
    circuit_open: wait,
    not_ready: wait,
    conflict: () => again(20 + Math.round(random() * 180), start.conflicts >= 3),
    timeout: () => start.timeouts >= 1 && !start.hasSteps ? dead() : again(30_000, true),
    bug: () => again(10_000, true, Math.min(2, policy.attempts)),
    shutdown: () => again(0, false),
    cancelled: () => ({ kind: 'cancelled' }),
    permanent: dead,
    contract: dead,
    poison: dead
  }
  return verdicts[cause]()
}

/** net: full jitter, 1 s x 2^n, cap 15 min; mail: 1 min x 2^n, cap 6 h; bug: 10 s. */
export function backoffMs (backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  if (backoff === 'bug') return 10_000
  if (backoff === 'mail') return Math.min(6 * 3_600_000, 60_000 * 2 ** attempt)
  return Math.round(random() * Math.min(900_000, 1000 * 2 ** attempt))
}
