import { setTimeout as sleep } from 'node:timers/promises'
import type { HoldRepository, RelayRepository } from '../../src/jobs/index.ts'
import type { Clock, LeaseTurn, Log, Queue } from '../../src/kernel/index.ts'
import { createBell } from './bell.ts'
import type { Contest } from './contest.ts'
import { leadTogether } from './leading.ts'
import type { Pauses } from './pauses.ts'
import type { Recovery } from './recovery.ts'
import type { Relay } from './relay.ts'
import type { Retries } from './retries.ts'
import type { Rounds } from './rounds.ts'
import type { Targets } from './targets.ts'
import { createUpcoming } from './upcoming.ts'
import { want, type Wake, type Wanted } from './wake.ts'

const pollMs = 500
/** Under load: what is told shortly after a turn goes together; newcomers, and a keeper that was idle, go at once. */
const gatherMs = 20
const secondMs = 1000

interface Parts {
  relay: Relay
  contest: Contest
  recovery: Recovery
  rounds: Rounds
  retries: Retries
  targets: Targets
  pauses: Pauses
  holds: HoldRepository
  runs: RelayRepository
  clock: Clock
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
  /** A round is over: what it let go of is looked for, and what it does not know of the relay's own. */
  isAfterRound: boolean
}

const quietTurn = (): Turn => ({
  queues: new Map(), ended: [], freed: [], serials: new Map(), targets: new Set(),
  hasHolds: false, hasNewcomers: false, isAfterRound: false
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

/** The loop of the one process that has the lease of a partition: the relay, and the rounds beside it. */
export function createKeeper (
  { relay, contest, recovery, rounds, retries, targets, pauses, holds, runs, clock, log }: Parts
) {
  const bell = createBell()
  let next = quietTurn()
  /** New runs that go beside the turns. */
  const hastening = new Set<Promise<void>>()
  let isLeading = false
  /** The last round went well; while none does, nothing is released to where nobody may get it. */
  let isWell = true
  /** When something was last released. */
  let publishedMs = 0
  let polledMs = 0
  const upcoming = createUpcoming({ runs, clock })

  function wake (told: Wake): void {
    upcoming.doubt()
    const isNewcomers = isAboutNewcomers(told)
    if (isNewcomers && told.runs !== undefined && isLeading && isWell) {
      const going = hasten(told, told.runs).finally(() => { hastening.delete(going) })
      hastening.add(going)
      return
    }
    heed(told, isNewcomers)
  }

  /** Has a turn look at it. */
  function heed (told: Wake, isNewcomers: boolean): void {
    add(told, next)
    next.hasNewcomers ||= isNewcomers
    bell.ring()
  }

  async function hasten (told: Wake, runIds: readonly string[]): Promise<void> {
    try {
      if (await relay.hasten(runIds)) return
    } catch (err) {
      log.warn({ err }, 'runs of a newcomer wait for the next turn of the keeper')
      next.isAfterRound = true
    }
    heed(told, true)
  }

  function isAboutNewcomers ({ queues, workspaces = [] }: Wake): boolean {
    return workspaces.some((workspaceId) => queues.some((queue) => relay.isNewcomer(queue as Queue, workspaceId)))
  }

  async function lead (turnOfLease: LeaseTurn): Promise<void> {
    isLeading = true
    try {
      await recovery.checkEpoch(turnOfLease.fence)
      await rounds.first(turnOfLease)
      onRound(true)
      await leadTogether(
        async ({ signal }) => { while (!signal.aborted) await guarded(signal) },
        async (turn) => { await rounds.go(turn, onRound) }
      )(turnOfLease)
      await Promise.all(hastening)
      await relay.added().catch((err: unknown) => {
        log.warn({ err }, 'what a keeper published last may not be in Redis')
      })
    } finally {
      isLeading = false
    }
  }

  function onRound (isNowWell: boolean): void {
    isWell = isNowWell
    next.isAfterRound = true
    bell.ring()
  }

  /** One turn; a store that is away for a moment ends no keeper. */
  async function guarded (signal: AbortSignal): Promise<void> {
    try {
      if (!isWell) {
        await bell.wait(pollMs, signal, () => isWell)
        return
      }
      const isPoll = next.isAfterRound || untilPollMs() <= 0
      if (isPoll) polledMs = performance.now()
      const turnAt = clock.now()
      if (await turn(isPoll)) return
      await rest(isPoll, turnAt, signal)
      await gather(signal)
    } catch (err) {
      if (signal.aborted) return
      log.warn({ err }, 'a turn of the keeper failed')
      next.isAfterRound = true
      await sleep(secondMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** The end of a round that is under way is a poll; where the round takes long, the poll after it does not wait. */
  function untilPollMs (): number {
    return polledMs + (rounds.isUnderWay() ? 2 : 1) * pollMs - performance.now()
  }

  async function turn (isPoll: boolean): Promise<boolean> {
    const now = next
    next = quietTurn()
    if (now.hasHolds || now.isAfterRound) await loadHolds()
    if (now.isAfterRound) await retries.free()
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
    const read = await holds.read()
    targets.set(read.holds)
    await pauses.set(read.pauses)
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
    await bell.wait(Math.min(untilPollMs(), upcoming.waitMs()), signal, hasWake)
    for (const queue of upcoming.due()) want(next.queues, queue)
  }

  async function gather (signal: AbortSignal): Promise<void> {
    const earlyMs = gatherMs - (performance.now() - publishedMs)
    if (earlyMs > 1) await bell.wait(earlyMs, signal, () => next.hasNewcomers)
  }

  function hasWake (): boolean {
    const { queues, ended, freed, serials, targets: ok, hasHolds, isAfterRound } = next
    return hasHolds || isAfterRound || queues.size + ended.length + freed.length + serials.size + ok.size > 0
  }

  return {
    lead,
    wake,
    isLeading: () => isLeading,
    figures: relay.figures,
    workersChanged: rounds.workersChanged,
    redisCameBack: rounds.redisCameBack
  }
}
