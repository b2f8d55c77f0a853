import { signal } from '@preact/signals'
import { get, post } from '../api.ts'
import { follow } from '../live.ts'
import { problemOf, type Problem } from '../problem.ts'
import { calmly, createList } from './list.ts'
import { createShelf } from './shared.ts'

export interface QueueRow {
  queue: string
  waiting: { interactive: number, default: number, bulk: number }
  live: number
  oldestAgeMs: number | null
  startsPerMin: number
  workers: number
  concurrency: number
  isPaused: boolean
  pause: { reason: string, by: string, at: string } | null
  pausedWorkspaces: string[]
}

export interface Attempt {
  startedAt: string
  endedAt: string
  outcome: string
  class: string
  code: string
  message: string
}

export interface RunRow {
  id: string
  workspaceId: string
  name: string
  version: number
  queue: string
  lane: string
  state: string
  heldBy?: string
  attempt: number
  starts: number
  progress?: { done: number, total?: number, unit?: string, step?: string }
  createdAt: string
  runAt: string
  startedAt?: string
  endedAt?: string
  error?: { class: string, code: string, message: string }
  cause: { kind: string, id: string } | null
}

export interface RunDetail extends RunRow {
  data: unknown
  result?: unknown
  attempts: Attempt[]
  crashes: number
  serial?: string
  target?: string
  deadlineAt?: string
  cancel?: { reason: string, by: string, at: string }
  needs?: Array<{ id: string, name: string | null, state: string | null }>
  waiting?: number
  replayOf?: string
}

export interface Group {
  fingerprint: string
  name: string
  class: string
  code: string
  message: string
  count: number
  firstAt: string
  lastAt: string
  workspaces: Array<{ workspaceId: string, count: number }>
}

export interface Letter {
  id: string
  workspaceId: string
  runId: string
  name: string
  class: string
  code: string
  message: string
  failedAt: string
  round: number
}

export interface LetterDetail extends Letter {
  fingerprint: string
  state: string
  codeVersion: string
  closedAt?: string
  closedBy?: string
  reason?: string
  replayRunId?: string
  attempts: Attempt[]
  data: unknown
  /** Runs that ended because its run did; the first hundred. */
  needers: string[]
}

export interface Schedule {
  id: string
  name: string
  job: string
  spec: { cron?: string, everyMs?: number, rrule?: string }
  zone: string
  overlap: string
  misfire: string
  isEnabled: boolean
  isDeclared: boolean
  pausedFor: string | null
  failures: number
  lastSlotAt: string
  nextSlotAt: string | null
}

export interface PastSlot {
  slotAt: string
  wall: string
  outcome: string
  reasons: string[]
  runId: string | null
  runState: string | null
  lateMs: number
  by: string
}

export interface ComingSlot {
  slotAt: string
  wall: string
  dst: 'gap' | 'fold' | null
  verdict: string
  reasons: string[]
  expectedStartAt: string | null
}

export const queues = createList<QueueRow>({ path: '/v1/jobs/queues', idOf: ({ queue }) => queue, isWhole: true })
export const groups = createList<Group>({
  path: '/v1/jobs/dead-letters/groups', idOf: ({ fingerprint }) => fingerprint, isWhole: true
})
export const schedules = createList<Schedule>({ path: '/v1/jobs/schedules', idOf: ({ id }) => id })

/** How the queues stand, and stand from now on. */
export function openQueues (): () => void {
  let isOpen = true
  let stops: Array<() => void> = []
  void queues.load().then(() => {
    if (!isOpen) return
    stops = queues.items.peek().map(({ queue }) => follow(`jobs.queue:${queue}`, {
      onPub: ({ d }) => { queues.change(queue, () => d as unknown as QueueRow) }
    }))
  })
  return () => {
    isOpen = false
    for (const stop of stops) stop()
  }
}

/** Lists by their path with its filters. */
export const runs = createShelf((path) => {
  const store = createList<RunRow>({ path, idOf: ({ id }) => id })
  return { store, open: () => { void store.load(); return () => {} } }
})
export const letters = createShelf((path) => {
  const store = createList<Letter>({ path, idOf: ({ id }) => id })
  return { store, open: () => { void store.load(); return () => {} } }
})

const endStates = ['done', 'dead', 'cancelled', 'expired', 'skipped']
export const isOver = ({ state }: Pick<RunRow, 'state'>): boolean => endStates.includes(state)

/** One thing of the interface, read anew when it is asked. */
function createOne<T> (path: string) {
  const value = signal<T | undefined>(undefined)
  const problem = signal<Problem | undefined>(undefined)
  async function load (): Promise<object> {
    try {
      value.value = await get<T>(path)
      problem.value = undefined
    } catch (error) {
      problem.value = problemOf(error)
    }
    return {}
  }
  return { path, value, problem, load }
}

/** One run with its attempts; what its topic tells is a reason to read it again. */
export const run = createShelf((id) => {
  const store = createOne<RunDetail>(`/v1/jobs/runs/${id}`)
  const reload = calmly(store.load, 500)
  return {
    store,
    open () {
      const stop = follow(`jobs.run:${id}`, { getState: store.load, onPub: reload })
      // A run of another workspace has no topic for us, and waiting tells nothing.
      const timer = setInterval(() => {
        if (!document.hidden && store.value.peek() !== undefined && !isOver(store.value.peek() as RunDetail)) reload()
      }, 2000)
      void store.load()
      return () => {
        stop()
        clearInterval(timer)
      }
    }
  }
})

/** One dead letter with what ended because its run did. */
export const letter = createShelf((id) => {
  const store = createOne<LetterDetail>(`/v1/jobs/dead-letters/${id}`)
  return { store, open: () => { void store.load(); return () => {} } }
})

/** One schedule by itself: an address may name one that no page read so far has. */
export const schedule = createShelf((id) => {
  const store = createOne<Schedule>(`/v1/jobs/schedules/${id}`)
  return { store, open: () => { void store.load(); return () => {} } }
})

/** What the coming slots of a schedule will do, and what became of the past ones. */
export const slots = createShelf((id) => {
  const coming = createOne<{ expectedRunMs: number, slots: ComingSlot[] }>(`/v1/jobs/schedules/${id}/explain?count=10`)
  const past = createOne<{ data: PastSlot[] }>(`/v1/jobs/schedules/${id}/slots?limit=20`)
  const load = async (): Promise<void> => { await Promise.all([coming.load(), past.load()]) }
  return { store: { coming, past, load }, open: () => { void load(); return () => {} } }
})

export async function actOnQueue (queue: string, act: 'pause' | 'resume', reason?: string): Promise<void> {
  const row = await post<QueueRow>(`/v1/jobs/queues/${queue}/${act}`, reason === undefined ? {} : { reason })
  queues.change(queue, () => row)
}

/** Goes to the board of BullMQ, which asks for a cookie of its own. */
export async function openBoard (): Promise<void> {
  await post('/v1/jobs/board-sessions')
  location.assign('/board')
}

export async function cancelRun (id: string, reason: string): Promise<void> {
  await post(`/v1/jobs/runs/${id}/cancel`, { reason })
  await run.get(id).load()
}

export async function actOnSchedule (id: string, act: 'trigger' | 'pause' | 'resume'): Promise<void> {
  await post(`/v1/jobs/schedules/${id}/${act}`)
  await Promise.all([schedules.load({ keeps: true }), schedule.get(id).load(), slots.get(id).load()])
}

export interface ReplayReport { matched?: number, refused?: Array<{ id: string, code: string }> }

/** Open letters of one kind once more; a dry run only counts. More than a hundred go as a task of their own. */
export async function replayGroup (fingerprint: string, dryRun: boolean): Promise<ReplayReport> {
  return await post<ReplayReport>('/v1/jobs/dead-letters/replay', { filter: { fingerprint }, dryRun })
}

export async function discardGroup (fingerprint: string, reason: string): Promise<number> {
  let count = 0
  for (;;) {
    const { discarded, hasMore } = await post<{ discarded: number, hasMore: boolean }>(
      '/v1/jobs/dead-letters/discard', { filter: { fingerprint }, reason })
    count += discarded
    if (!hasMore) return count
  }
}
