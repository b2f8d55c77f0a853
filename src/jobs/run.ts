import type {
  ActorRef, Cause as Origin, Dedupe, Lane, NeedFailure, Progress, Queue, RunState
} from '../kernel/index.ts'
import type { Cause } from './classify.ts'

/** One start that ended, as the run remembers it. */
export interface Attempt {
  fence: number
  startedAt: Date
  endedAt: Date
  outcome: 'again' | 'dead' | 'crashed'
  class: Cause | 'crash'
  code: string
  message: string
}

/** Which run answers for others of its key; `isActive` as far as it is known, `until` the end of a throttle window. */
export interface DedupeOfRun { key: string, mode: Dedupe['mode'], until?: Date, isActive: boolean }

export interface Cancel { reason: string, by: string, at: Date }

/** A document of `jobs.runs` (`jobs.md` 3.5). */
export interface RunRow {
  _id: string
  workspaceId: string
  /** Hash of the workspace: which partition has the run. */
  slot: number
  name: string
  v: number
  data: unknown
  queue: Queue
  lane: Lane
  cost: number
  key?: string
  dataHash: string
  dedupe?: DedupeOfRun
  serial?: string
  seq?: string
  target?: string
  /** Capacity it takes before its release, in order of name; and what it took for the release it has. */
  resources?: string[]
  taken?: string[]
  /** Order of those who wait for a resource; `overtaken`: how often somebody later was first. */
  rank?: number
  slotAt?: Date
  overtaken?: number
  needs?: string[]
  /** Those that have ended, as far as that lets this one go on, and how many have not. */
  met?: string[]
  waiting?: number
  onNeedFailure?: NeedFailure
  /** Other runs wait for its end. */
  isNeeded?: boolean
  batchId?: string
  workflowId?: string
  node?: string
  state: RunState
  isLive: boolean
  heldBy: string | null
  runAt: Date
  /** What its age is counted from, where it was to start later than it was made. */
  dueAt?: Date
  deadlineAt?: Date
  release: number
  fence: number
  claim: string | null
  /** Token of the relay pass that published it last. */
  pass?: string
  /** Counted starts that ended without success. */
  attempt: number
  starts: number
  crashes: number
  conflicts: number
  worker: string | null
  attempts: Attempt[]
  steps?: Record<string, { value: unknown }>
  progress?: Progress
  result?: unknown
  error?: { class: string, code: string, message: string }
  /** Asked for while it ran, or how it ended: nothing of it is committed any more. */
  cancel?: Cancel
  /** The dead run that this one does again, and which round of its origin it is. */
  replayOf?: string
  replays?: number
  /** Hears an event that was heard before. */
  isReplay?: boolean
  cause?: Origin
  actor?: ActorRef
  trace?: string
  createdAt: Date
  /** Of what happens between its times: progress, steps, another try, an operator. */
  updatedAt?: Date
  publishedAt?: Date
  startedAt?: Date
  endedAt?: Date
  expireAt?: Date
}

/** So many runs that one act ended are told to whoever watches them; the others find it when they read again. */
export const mostTold = 1000

/** What names one start: every later write of it filters on all three and on `running`. */
export interface StartKey { id: string, fence: number, claim: string }

const dayMs = 86_400_000
/** How long the store keeps what is done, and what ended otherwise. */
export const keptMs = { done: 7 * dayMs, shown: 30 * dayMs }

/** Whether no resource and no blackout may hold it up. */
export function isPlain ({ resources, target, cause }: Pick<RunRow, 'resources' | 'target' | 'cause'>): boolean {
  return resources === undefined && target === undefined && cause?.kind !== 'schedule'
}

/** How long it has been due. */
export function ageMsOf ({ createdAt, dueAt = createdAt }: RunRow, nowMs: number): number {
  return nowMs - Math.max(createdAt.getTime(), dueAt.getTime())
}

/** When an ended run leaves the store; dead ones stay with their letter. */
export function expiryOf (state: RunState, nowMs: number): { expireAt?: Date } {
  if (state === 'done') return { expireAt: new Date(nowMs + keptMs.done) }
  const isShown = state === 'cancelled' || state === 'expired' || state === 'skipped'
  return isShown ? { expireAt: new Date(nowMs + keptMs.shown) } : {}
}
