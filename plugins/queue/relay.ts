import { randomUUID } from 'node:crypto'
import {
  isPlain, mayGoBeyond, type Candidate, type CandidateRepository, type Delivery, type RelayRepository
} from '../../src/jobs/index.ts'
import { queues, type Clock, type Queue } from '../../src/kernel/index.ts'
import type { Chooser, Places } from './choice.ts'
import type { DeliveryPort } from './delivery.ts'
import type { Contest } from './contest.ts'
import type { Pauses } from './pauses.ts'
import type { Retries } from './retries.ts'
import type { Targets } from './targets.ts'
import type { Wanted } from './wake.ts'
import type { WorkersView } from './workers-view.ts'

interface Parts {
  runs: RelayRepository
  candidates: CandidateRepository
  choice: Chooser
  contest: Contest
  delivery: DeliveryPort
  view: WorkersView
  targets: Targets
  pauses: Pauses
  retries: Retries
  clock: Clock
  onPublished: (queue: string, count: number) => void
  /** Tells a worker of a published run that may start beyond the places. */
  handOver: (run: Candidate, release: number) => void
  /** Runs ended since their time was over. */
  onEnded: (ids: readonly string[]) => void
}

/** What was released since then, until the next count. */
interface Count { sinceMs: number, count: number }

/** So long the starts of a queue are counted before its window follows them. */
const rateMs = 250
/** Releases come in bursts, and a count that ends before one is too low: the mean of so many counts. */
const countsKept = 4

/** One pass after the other: what is due and may go becomes published, then a delivery in Redis (`jobs.md` 4.2). */
export function createRelay (parts: Parts) {
  const {
    runs, candidates, choice, contest, delivery, view, targets, pauses, retries, clock, onPublished, handOver, onEnded
  } = parts
  const counts = new Map<string, Count[]>()
  /** What is published and on its way to Redis; the next pass looks meanwhile what else is due. */
  let adding: Promise<unknown> = Promise.resolve()
  /** Runs that go beside a pass and are not counted yet. */
  let hastening = 0

  /** Releases what the windows of these queues admit; how many went, and whether more waits that may. */
  async function pass (wanted: Wanted | 'all'): Promise<{ published: number, hasMore: boolean }> {
    const consumed = queues.filter((queue) => (wanted === 'all' || wanted.has(queue)) && view.concurrencyOf(queue) > 0)
    if (consumed.length === 0) return { published: 0, hasMore: false }
    // Between two polls the count goes by what was published and what was told to have ended.
    if (wanted === 'all' || !consumed.every(choice.isKnown)) await choice.load()
    const asked = consumed.map((queue) => choice.placesOf(queue, wanted === 'all' ? undefined : wanted.get(queue)))
    const now = clock.now()
    const [due, news, waiting] = await Promise.all([
      candidates.due(asked.flatMap(({ asks }) => asks), now),
      candidates.these(asked.flatMap(({ ids = [] }) => ids), now),
      contest.waiting(wanted === 'all')
    ])
    const byQueue = Map.groupBy([...due, ...news], ({ queue }) => queue)
    const choices = asked.map((places) => choice.choose(places, byQueue.get(places.queue) ?? [], now))
    const chosen = [...choices.flatMap((one) => one.chosen), ...withRoom(waiting, asked)]
    if (chosen.length === 0) return { published: 0, hasMore: false }
    // Before anything is taken for them: where Redis refuses what went before, nothing more goes.
    await added()
    const { winners, taken } = await contest.settle(await admit(chosen, now), now)
    const sent = await publish(winners, taken)
    // What was held made room for others.
    const hasMore = choices.some((one) => one.chosen.length > 0 && one.hasMore)
    return { published: sent.length, hasMore }
  }

  /**
   * Releases new runs of newcomers beside the pass under way, which may take long: nothing that passes decide in their
   * order holds these up. False where one of them is left to the next pass.
   */
  async function hasten (ids: readonly string[]): Promise<boolean> {
    const now = clock.now()
    const [news] = await Promise.all([candidates.these(ids, now), added()])
    const going: Candidate[] = []
    for (const run of news) {
      if (!mayHasten(run, now) || !choice.isNewcomer(run.queue, run.workspaceId, hastening)) continue
      going.push(run)
      hastening++
    }
    try {
      return (await publish(going, new Map())).length === ids.length
    } finally {
      hastening -= going.length
    }
  }

  function mayHasten (run: Candidate, now: Date): boolean {
    const { name, v, queue, serial, attempt, deadlineAt = Infinity } = run
    const isFree = isPlain(run) && serial === undefined && attempt === 0
    return isFree && deadlineAt > now && !pauses.isPaused(run) && view.canHandle(name, v, queue)
  }

  /** Those who wait for a resource, as far as their queues have places. */
  function withRoom (waiting: readonly Candidate[], asked: readonly Places[]): Candidate[] {
    return [...Map.groupBy(waiting, ({ queue }) => queue)].flatMap(([queue, mine]) => {
      const { free, extra } = asked.find((one) => one.queue === queue) ?? choice.placesOf(queue)
      return mine.slice(0, Math.max(free, extra))
    })
  }

  /** Sorts out what must not go now and writes down why. */
  async function admit (chosen: readonly Candidate[], now: Date): Promise<Candidate[]> {
    const late = chosen.filter(({ deadlineAt }) => deadlineAt !== undefined && deadlineAt <= now)
    const ids = late.map((run) => run._id)
    await runs.expire(ids, now)
    onEnded(ids)
    const inTime = chosen.filter((run) => !late.includes(run))
    const open = await keep(inTime, 'paused', (run) => !pauses.isPaused(run))
    const able = await keep(open, 'no_worker', ({ name, v, queue }) => view.canHandle(name, v, queue))
    const reachable = await keep(able, 'target', (run) => targets.mayGo(run))
    const affordable = await keep(reachable, 'retry_budget', retries.budgeted(now.getTime()))
    const turns = await turnsOf(affordable, now)
    return await keep(affordable, 'serial', (run) => run.serial === undefined || turns.has(run._id))
  }

  async function keep (
    runsOfPass: readonly Candidate[], reason: string, may: (run: Candidate) => boolean
  ): Promise<Candidate[]> {
    const { yes = [], no = [] } = Object.groupBy(runsOfPass, (run) => may(run) ? 'yes' : 'no')
    await runs.hold(no.map((run) => run._id), reason)
    return yes
  }

  /** Runs whose serial is free and whose turn in it has come. */
  async function turnsOf (candidates: readonly Candidate[], now: Date): Promise<Set<string>> {
    const serials = new Map<string, { workspaceId: string, serial: string }>()
    for (const { workspaceId, serial } of candidates) {
      if (serial !== undefined) serials.set(`${workspaceId} ${serial}`, { workspaceId, serial })
    }
    const [busy, first] = await Promise.all([
      runs.liveSerials([...serials.values()]),
      Promise.all([...serials].map(async ([name, { workspaceId, serial }]) =>
        [name, await runs.firstOfSerial(workspaceId, serial, now)] as const))
    ])
    return new Set(first.flatMap(([name, id]) => busy.has(name) || id === undefined ? [] : [id]))
  }

  /** MongoDB first, Redis second: a crash between them leaves a published run that the next leader adds again. */
  async function publish (
    passing: readonly Candidate[], taken: ReadonlyMap<string, readonly string[]>
  ): Promise<Candidate[]> {
    const sent: Candidate[] = []
    const namesOf = ({ _id }: Candidate): readonly string[] => taken.get(_id) ?? []
    const groups = Map.groupBy(passing, (run) => [run.release, ...namesOf(run)].join(' '))
    for (const group of groups.values()) {
      const [one] = group
      if (one === undefined) continue
      const published = await runs.publish(group, randomUUID(), clock.now(), namesOf(one))
      const byId = new Map(group.map((run) => [run._id, run]))
      const deliveries = published.map((one): Delivery => {
        const run = byId.get(one.id)
        if (run === undefined) return one
        sent.push(run)
        const priority = choice.sent(run)
        if (mayGoBeyond(priority) && choice.isBusy(run.queue)) handOver(run, one.release)
        return { ...one, priority }
      })
      await contest.giveBack(group.filter((run) => !sent.includes(run)), taken)
      await added()
      adding = Promise.all([adding, delivery.add(deliveries)])
      adding.catch(() => undefined)
    }
    for (const [queue, runsOfQueue] of Map.groupBy(sent, (run) => run.queue)) count(queue, runsOfQueue)
    return sent
  }

  /** Waits until what was published last is in Redis. Throws where Redis refused it. */
  async function added (): Promise<void> {
    const last = adding
    adding = Promise.resolve()
    await last
  }

  function count (queue: Queue, sent: readonly Candidate[]): void {
    if (sent.length === 0) return
    onPublished(queue, sent.length)
    retries.note(queue, sent)
    const nowMs = performance.now()
    const kept = counts.get(queue) ?? [{ sinceMs: nowMs, count: 0 }]
    counts.set(queue, kept)
    const [first, last] = [kept[0], kept.at(-1)] as [Count, Count]
    last.count += sent.length
    if (nowMs - last.sinceMs < rateMs) return
    const perSec = kept.reduce((sum, { count }) => sum + count, 0) * 1000 / (nowMs - first.sinceMs)
    counts.set(queue, [...kept, { sinceMs: nowMs, count: 0 }].slice(-countsKept))
    choice.setRate(queue, perSec)
  }

  return {
    pass,
    hasten,
    added,
    ended: choice.ended,
    isNewcomer: choice.isNewcomer,
    /** How much of each queue may be live, and how many retries may go now. */
    figures: () => queues.map((queue) => (
      { queue, window: choice.windowSize(queue), retryBudget: retries.left(queue) }))
  }
}

export type Relay = ReturnType<typeof createRelay>
