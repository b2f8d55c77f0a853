import type { Static, TSchema } from 'typebox'
import type { Actor } from './actor.ts'
import type { Cause } from './context.ts'
import type { DomainEvent } from './events.ts'
import { refuseSecrets } from './schemas.ts'
import type { Session } from './tx.ts'
import type { AddedWorkflow, Workflow } from './workflows.ts'

/** A queue is a rhythm (`jobs.md` 3.2); the job's name carries the domain. */
export const queues = [
  'fast', 'mail', 'notify', 'webhook', 'publish', 'crawl', 'download', 'image', 'video', 'bulk', 'report', 'upkeep'
] as const
export type Queue = typeof queues[number]

export const lanes = ['interactive', 'default', 'bulk'] as const
export type Lane = typeof lanes[number]

export interface JobPolicy {
  attempts?: number
  backoff?: 'net' | 'mail' | 'bug'
  timeoutMs?: number
  /** A run that has been due for longer does not start any more: it is dead, with a letter. */
  maxAgeMs?: number
}

export interface JobDefinition<D extends TSchema = TSchema, R extends TSchema = TSchema> {
  /** `<domain>.<verb>-<noun>` */
  name: string
  version: number
  data: D
  result?: R
  queue: Queue
  lane: Lane
  policy: JobPolicy
  cost: number
  /** Key under which runs go strictly one after another. */
  serial?: (data: Static<D>) => string
  /** The outside service that the run needs; on hold together with its breaker. */
  target?: (data: Static<D>) => string
  /** Named capacity that its runs take before they are released (`resources.ts`). */
  resources?: (data: Static<D>) => readonly string[]
  /** Payloads of older versions, lifted one version at a time. */
  upcast?: Record<number, (data: never) => unknown>
  /** Pointers that are hidden wherever a run is shown. */
  redact?: readonly string[]
  /** May be sent by `addNow`, which promises nothing: cache warming, live counters. */
  lossy?: boolean
}

/** What one run counts for where workspaces share turns: a whole number from 1 to this. */
export const mostCost = 100

export function isCost (cost: number): boolean {
  return Number.isInteger(cost) && cost >= 1 && cost <= mostCost
}

type JobInput<D extends TSchema, R extends TSchema> =
  Pick<JobDefinition<D, R>, 'name' | 'data' | 'queue'> & Partial<JobDefinition<D, R>>

/**
 * A job as data: ids, never the entity; a handler reads what is true when it runs.
 * Throws where its schema has a member marked secret: references to the vault travel instead; and at a cost that is no
 * whole number from 1 to 100.
 */
export function defineJob<D extends TSchema, R extends TSchema = TSchema> (
  job: JobInput<D, R>
): JobDefinition<D, R> {
  refuseSecrets(job.name, job.data)
  const { name, cost = 1 } = job
  if (!isCost(cost)) throw new Error(`${name} costs ${cost}: it must be a whole number from 1 to ${mostCost}`)
  return { version: 1, lane: 'default', policy: {}, cost: 1, ...job }
}

export type RunState =
  'blocked' | 'pending' | 'published' | 'running' | 'done' | 'dead' | 'cancelled' | 'expired' | 'skipped'

/** What becomes of a run when one that it needs ends otherwise than done. */
export type NeedFailure = 'fail' | 'continue' | 'skip'
/** What a key is unique in: the workspace, the run that adds, or one attempt of it. */
export type KeyScope = 'global' | 'parent' | 'attempt'

/**
 * One run instead of many of one workspace, job and key. `inflight`: one that waits or is live. `throttle`: one in each
 * window. `debounce`: while it waits, its data is replaced and it moves to the end of a new window. `latest`: one waits
 * behind the one that is live, and carries the last data.
 */
export type Dedupe =
  | { key: string, mode: 'inflight' | 'latest' }
  | { key: string, mode: 'throttle' | 'debounce', windowMs: number }

export interface AddOptions {
  /** One run per workspace, job and key, for ever; or per run that adds, or per attempt of it (`scope`). */
  key?: string
  /** Default `global`. The other two are for what a handler adds. */
  scope?: KeyScope
  dedupe?: Dedupe
  runAt?: Date
  deadlineAt?: Date
  lane?: Lane
  /** Default: that of the job; 1 to 100, whole. */
  cost?: number
  serial?: string
  /** Default: the workspace in `data.workspaceId`, else the one at work. */
  workspaceId?: string
  /** Besides those of the job. */
  resources?: readonly string[]
  /** Who goes first where runs wait for a resource: the lowest rank, then the earliest slot. */
  rank?: number
  slotAt?: Date
  /** Ids of runs of the workspace that must end first. */
  needs?: readonly string[]
  /** Compulsory with `needs`. */
  onNeedFailure?: NeedFailure
  batchId?: string
  /** Where the run comes from. Default: what is at work. */
  cause?: Cause
}

export interface AddedRun { id: string, state: RunState, isNew: boolean }

export interface LossyOptions {
  lane?: Lane
  delayMs?: number
  workspaceId?: string
}

export interface JobSender {
  /**
   * Writes the run in the caller's transaction. Where a key or a dedupe has a run already, answers that one.
   * Throws `jobs.schema_mismatch`, `jobs.key_reused`, `jobs.data_too_large`, `jobs.unknown_job`, `jobs.backlog_full`.
   */
  add<D extends TSchema, R extends TSchema> (
    session: Session, job: JobDefinition<D, R>, data: Static<D>, options?: AddOptions
  ): Promise<AddedRun>
  /** The same for many of one job, in one round trip. */
  addMany<D extends TSchema, R extends TSchema> (
    session: Session, job: JobDefinition<D, R>, items: ReadonlyArray<{ data: Static<D>, options?: AddOptions }>
  ): Promise<AddedRun[]>
  /**
   * Up to 1,000 runs that need each other, in one insert.
   * Throws `jobs.cycle_in_workflow`, `jobs.schema_mismatch`.
   */
  addWorkflow (session: Session, workflow: Workflow): Promise<AddedWorkflow>
  /**
   * Hands a job that is declared lossy straight to Redis: no run, no transaction, no promise. The id of its delivery,
   * or null where Redis is away and the job is dropped. Refuses other jobs.
   * Throws `jobs.schema_mismatch`, `jobs.data_too_large`, `jobs.unknown_job`.
   */
  addNow<D extends TSchema, R extends TSchema> (
    job: JobDefinition<D, R>, data: Static<D>, options?: LossyOptions): Promise<string | null>
  /** The same for many of one job, in one round trip. */
  addNowMany<D extends TSchema, R extends TSchema> (
    job: JobDefinition<D, R>, items: ReadonlyArray<{ data: Static<D>, options?: LossyOptions }>
  ): Promise<Array<string | null>>
}

export interface Progress {
  done: number
  total?: number
  unit?: string
  step?: string
}

/** A run that another one needs; null: it ended so long ago that the store has forgotten it. */
export interface NeedView { id: string, name: string | null, state: RunState | null }

export interface RunView<D> {
  id: string
  name: string
  workspaceId: string
  data: D
  attempt: number
  createdAt: Date
  progress?: Progress
  /** How those ended that it needs, where it needs any. */
  needs?: readonly NeedView[]
}

/** What a handler gets. It must pass `signal` on to whatever it waits for. */
export interface JobContext<D = unknown, R = unknown> {
  run: RunView<D>
  /** The product at work for the workspace of the run. */
  actor: Actor
  signal: AbortSignal
  attempt: number
  deadlineAt: Date | null
  log: Log
  /** At most two a second leave; the last one always does. */
  progress (progress: Progress): void
  /** The exactly-once door: one transaction that ends the run as done under its fence, then does `work`. */
  commit<T> (work: (session: Session) => Promise<T>, result?: R): Promise<T>
  /** A transaction in the middle of the run that matches nothing once another start has the run. */
  checkpoint<T> (work: (session: Session) => Promise<T>, progress?: Progress): Promise<T>
  /** The stored result of a step that is done, else of `work`, kept for later starts (at most 16 KiB). */
  step<T> (name: string, work: () => Promise<T>): Promise<T>
  /**
   * Adds a child in a transaction of its own, as long as this start has the run. Its key is unique within this run, by
   * default made of its data: a later start of this run adds no second one.
   */
  spawn<C extends TSchema, S extends TSchema> (
    job: JobDefinition<C, S>, data: Static<C>, options?: AddOptions): Promise<AddedRun>
  /** Gives the run back until then, uncounted. */
  wait (until: Date | number): never
}

export interface Log {
  debug (fields: object, message?: string): void
  info (fields: object, message?: string): void
  warn (fields: object, message?: string): void
  error (fields: object, message?: string): void
}

export type JobHandler<D = unknown, R = unknown> = (ctx: JobContext<D, R>) => Promise<R | undefined | void>
/** The whole effect of events of one workspace, in the transaction that ends their runs. */
export type EventsHandler<T = unknown> = (session: Session, events: ReadonlyArray<DomainEvent<T>>) => Promise<void>
export type EventHandler<T = unknown> = (event: DomainEvent<T>, ctx: JobContext<unknown, unknown>) => Promise<void>
