import { setTimeout as sleep } from 'node:timers/promises'
import { queues, type Clock, type LeaseTurn, type Log, type Queue } from '../../src/kernel/index.ts'
import type { BatchWatch, RelayRepository } from '../../src/jobs/index.ts'
import type { Contest } from './contest.ts'
import type { Duty } from './duties.ts'
import type { Holds } from './holds.ts'
import type { Pauses } from './pauses.ts'
import type { Recovery } from './recovery.ts'
import type { Relay } from './relay.ts'
import type { Targets } from './targets.ts'
import { createUpcoming } from './upcoming.ts'
import { want, type Wake, type Wanted } from './wake.ts'
import type { WorkersView } from './workers-view.ts'

const pollMs = 500
/** Under load: what is told shortly after a turn goes together; newcomers, and a keeper that was idle, go at once. */
const gatherMs = 20
const secondMs = 1000
const reconcileMs = 10_000

interface Parts {
  relay: Relay
  contest: Contest
  watch: BatchWatch
  recovery: Recovery
  targets: Targets
  pauses: Pauses
  holds: Holds
  /** What is looked at every ten seconds besides. */
  duties: readonly Duty[]
  view: WorkersView
  runs: RelayRepository
  clock: Clock
  /** Has the duties that are about workers, and not about the runs of a partition. */
  isChief: boolean
  /** Tells the keepers of all partitions. */
  wakeAll: (wake: Wake) => void
  log: Log
}

interface Turn {
  queues: Wanted
  ended: Array<[queue: string, workspaceId: string]>
  freed: string[]
  serials: Map<string, [string, string]>
  targets: Set<string>
  hasHolds: boolean
  hasNewcomers: boolean
}

const quietTurn = (): Turn => ({
  queues: new Map(), ended: [], freed: [], serials: new Map(), targets: new Set(), hasHolds: false, hasNewcomers: false
})

function add (told: Wake, turn: Turn): void {
  const { queues: of, runs, ended = [], freed = [], serials = [], targets: ok = [], hasHolds } = told
  for (const queue of of) want(turn.queues, queue, runs)
  turn.ended.push(...ended)
  turn.freed.push(...freed)
  for (const pair of serials) turn.serials.set(pair.join(' '), pair)
  for (const target of ok) turn.targets.add(target)
  turn.hasHolds ||= hasHolds === true
}

/** The loop of the one process that has the lease of a partition: relay and reconciler. */
export function createKeeper (parts: Parts) {
  const {
    relay, contest, watch, recovery, targets, pauses, holds, duties, view, runs, clock, isChief, wakeAll, log
  } = parts
  let next = quietTurn()
  let isLeading = false
  let ring: (() => void) | undefined
  let lookAtWorkers = true
  let lookAtRedis = true
  /** When something was last released. */
  let publishedMs = 0
  const upcoming = createUpcoming({ runs, clock })

  function wake (told: Wake): void {
    add(told, next)
    next.hasNewcomers ||= isAboutNewcomers(told)
    ring?.()
  }

  function isAboutNewcomers ({ queues, workspaces = [] }: Wake): boolean {
    return workspaces.some((workspaceId) => queues.some((queue) => relay.isNewcomer(queue as Queue, workspaceId)))
  }

  async function lead ({ fence, signal }: LeaseTurn): Promise<void> {
    const times = { second: 0, reconcile: 0, poll: 0 }
    isLeading = true
    lookAtRedis = lookAtWorkers = true
    try {
      await recovery.checkEpoch(fence)
      while (!signal.aborted) await guarded(fence, times, signal)
      await relay.added().catch((err: unknown) => {
        log.warn({ err }, 'what a keeper published last may not be in Redis')
      })
    } finally {
      isLeading = false
    }
  }

  /** One turn; a store that is away for a moment ends no keeper. */
  async function guarded (fence: number, times: Record<string, number>, signal: AbortSignal): Promise<void> {
    try {
      await chores(fence, times)
      const isPoll = performance.now() - (times['poll'] ?? 0) >= pollMs
      if (isPoll) times['poll'] = performance.now()
      const turnAt = clock.now()
      if (await turn(isPoll)) return
      await rest(isPoll, turnAt, signal)
      await gather(signal)
    } catch (err) {
      if (signal.aborted) return
      log.warn({ err }, 'a turn of the keeper failed')
      await sleep(secondMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async function turn (isPoll: boolean): Promise<boolean> {
    const now = next
    next = quietTurn()
    if (now.hasHolds) await loadHolds()
    await targets.turn()
    for (const target of now.targets) await targets.succeeded(target)
    await addFreed(now)
    const { published, hasMore } = await relay.pass(isPoll ? 'all' : now.queues)
    // A turn that found nothing is no reason to keep a new run waiting.
    if (published > 0) publishedMs = performance.now()
    if (hasMore) for (const queue of now.queues.keys()) want(next.queues, queue, [])
    return hasMore
  }

  async function loadHolds (): Promise<void> {
    await Promise.all([targets.load(), pauses.load()])
  }

  /** Queues in which something became free are looked at too. */
  async function addFreed (now: Turn): Promise<void> {
    const freed = await Promise.all([...now.serials.values()].map(async ([workspaceId, serial]) =>
      await runs.freeSerial(workspaceId, serial)))
    for (const queue of freed) if (queue !== undefined) want(now.queues, queue)
    // Places became free, and nothing is new.
    for (const queue of relay.ended(now.ended)) want(now.queues, queue, [])
    for (const queue of contest.queuesOf(now.freed)) want(now.queues, queue)
  }

  /** Waits for a wake, the next poll, or the next run that becomes due, whichever is first. */
  async function rest (isPoll: boolean, turnAt: Date, signal: AbortSignal): Promise<void> {
    await upcoming.load(isPoll, turnAt)
    await pause(Math.min(pollMs, upcoming.waitMs()), signal, hasWake)
    for (const queue of upcoming.due()) want(next.queues, queue)
  }

  async function gather (signal: AbortSignal): Promise<void> {
    const earlyMs = gatherMs - (performance.now() - publishedMs)
    if (earlyMs > 1) await pause(earlyMs, signal, () => next.hasNewcomers)
  }

  async function chores (fence: number, times: Record<string, number>): Promise<void> {
    const nowMs = performance.now()
    if (lookAtRedis) {
      lookAtRedis = false
      await recovery.checkEpoch(fence)
      await recovery.addAgain()
    }
    if (lookAtWorkers || nowMs - (times['second'] ?? 0) >= secondMs) {
      times['second'] = nowMs
      await eachSecond(fence)
    }
    if (nowMs - (times['reconcile'] ?? 0) >= reconcileMs) {
      times['reconcile'] = nowMs
      await recovery.returnLost()
      await recovery.endLate()
      await holds.freeStale()
      if (!isChief) return
      await freePlaces()
      await recovery.endWindows()
      await runs.holdQueues(queues.filter((queue: Queue) => view.concurrencyOf(queue) === 0), clock.now())
      for (const duty of duties) await duty()
    }
  }

  async function freePlaces (): Promise<void> {
    wakeAll({ queues: await contest.reconcile() })
  }

  async function eachSecond (fence: number): Promise<void> {
    lookAtWorkers = false
    const [{ gone, isChanged }] = await Promise.all([view.refresh(), loadHolds()])
    if (isChanged) await holds.freeAble()
    // Who came meanwhile waits for the slowest of them, not for all.
    await allEnded([relay.freeRetries(), recovery.checkEpoch(fence), ...isChief ? [mend(gone)] : []])
  }

  async function mend (gone: readonly string[]): Promise<void> {
    await allEnded([endDead(gone), runs.freeStaleSerials(), endNeeds(), watch.batches()])
  }

  async function endDead (gone: readonly string[]): Promise<void> {
    const returned = await recovery.returnGone(gone)
    if (returned > 0) log.warn({ returned }, 'runs of a dead worker are pending again')
    const unseen = await recovery.returnUnseen()
    if (returned + unseen > 0) await freePlaces()
  }

  async function endNeeds (): Promise<void> {
    wakeAll({ queues: await watch.needs() })
  }

  function hasWake (): boolean {
    const { queues, ended, freed, serials, targets: ok, hasHolds } = next
    const told = queues.size + ended.length + freed.length + serials.size + ok.size
    return told > 0 || hasHolds || lookAtRedis || lookAtWorkers
  }

  async function pause (ms: number, signal: AbortSignal, isOver: () => boolean): Promise<void> {
    // A wake that came during the turn rang no bell.
    if (signal.aborted || isOver()) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        ring = undefined
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, ms))
      signal.addEventListener('abort', done)
      ring = () => { if (isOver()) done() }
    })
  }

  return {
    lead,
    wake,
    isLeading: () => isLeading,
    figures: relay.figures,
    workersChanged () {
      lookAtWorkers = true
      ring?.()
    },
    redisCameBack () {
      lookAtRedis = true
      ring?.()
    }
  }
}

/** Waits for all of them, then throws what the first one threw: none goes on behind the turn that began it. */
async function allEnded (works: ReadonlyArray<Promise<unknown>>): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason
}
