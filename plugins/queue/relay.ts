import { randomUUID } from 'node:crypto'
import { freePlaces, shareLanes, type Candidate, type Delivery, type RelayRepository } from '../../src/jobs/index.ts'
import { lanes, queues, type Clock, type Lane, type Queue } from '../../src/kernel/index.ts'
import type { DeliveryPort } from './delivery.ts'
import type { Targets } from './targets.ts'
import type { WorkersView } from './workers-view.ts'

interface Parts {
  runs: RelayRepository
  delivery: DeliveryPort
  view: WorkersView
  targets: Targets
  clock: Clock
  onPublished: (queue: string, count: number) => void
}

/** One pass after the other: what is due and may go becomes published, then a delivery in Redis (`jobs.md` 4.2). */
export function createRelay ({ runs, delivery, view, targets, clock, onPublished }: Parts) {
  const starts = new Map<string, { sinceMs: number, count: number, perSec: number }>()
  const windows = new Map<string, Window>()

  /** Releases what the windows of these queues admit; how many went, and whether more waits that may. */
  async function pass (wanted: ReadonlySet<string> | 'all'): Promise<{ published: number, hasMore: boolean }> {
    const consumed = queues.filter((queue) => (wanted === 'all' || wanted.has(queue)) && view.concurrencyOf(queue) > 0)
    if (consumed.length === 0) return { published: 0, hasMore: false }
    // Between two polls the count goes by what was published and what was told to have ended.
    if (wanted === 'all' || !consumed.every((queue) => windows.has(queue))) {
      const live = await runs.live()
      for (const queue of queues) windows.set(queue, { live: live.get(queue) ?? 0, isDry: false, isUrgent: true })
    }
    const asked = consumed.map((queue) => ({ queue, ...placesOf(queue) }))
    const now = clock.now()
    const due = await runs.due(asked.flatMap(({ queue, free, extra }) => lanes.map((lane) =>
      ({ queue, lane, limit: lane === 'interactive' ? Math.max(free, extra) : free }))), now)
    const byQueue = Map.groupBy(due, ({ queue }) => queue)
    const results = await Promise.all(asked.map(async (places) =>
      await release(places, byQueue.get(places.queue) ?? [], now)))
    return {
      published: results.reduce((sum, one) => sum + one.published, 0),
      hasMore: results.some(({ published, hasMore }) => published > 0 && hasMore)
    }
  }

  function placesOf (queue: Queue): { free: number, extra: number } {
    return freePlaces({
      concurrency: view.concurrencyOf(queue),
      startsPerSec: starts.get(queue)?.perSec ?? 0,
      live: windows.get(queue)?.live ?? 0
    })
  }

  async function release (
    { queue, free, extra }: { queue: Queue, free: number, extra: number }, due: readonly Candidate[], now: Date
  ): Promise<{ published: number, hasMore: boolean }> {
    const byLane = Map.groupBy(due, ({ lane }) => lane)
    const waiting = Object.fromEntries(
      lanes.map((lane) => [lane, byLane.get(lane)?.length ?? 0])) as Record<Lane, number>
    const shares = shareLanes(free, extra, waiting)
    const chosen = lanes.flatMap((lane) => (byLane.get(lane) ?? []).slice(0, shares[lane]))
    const window = windows.get(queue)
    // Fewer than were asked for, and all of them go: whatever is added later tells of itself.
    const isDry = chosen.length === due.length && lanes.every((lane) => waiting[lane] < free)
    const isUrgent = waiting.interactive > shares.interactive || waiting.interactive >= Math.max(free, extra)
    if (window !== undefined) Object.assign(window, { isDry, isUrgent: isUrgent && waiting.interactive > 0 })
    if (chosen.length === 0) return { published: 0, hasMore: false }
    const passing = await admit(chosen, now)
    const published = await publish(passing)
    if (window !== undefined) window.live += published
    count(queue, published)
    // What was held made room for others.
    return { published: published + chosen.length - passing.length, hasMore: !isDry }
  }

  /** Notes runs that ended; those of their queues where that makes room for runs that wait. */
  function ended (names: readonly string[]): string[] {
    for (const name of names) {
      const window = windows.get(name)
      if (window !== undefined) window.live = Math.max(0, window.live - 1)
    }
    return queues.filter((queue) => names.includes(queue) && windows.get(queue)?.isDry === false && hasRoom(queue))
  }

  function hasRoom (queue: Queue): boolean {
    const { free, extra } = placesOf(queue)
    return free > 0 || (extra > 0 && windows.get(queue)?.isUrgent === true)
  }

  /** Sorts out what must not go now and writes down why. */
  async function admit (candidates: readonly Candidate[], now: Date): Promise<Candidate[]> {
    const late = candidates.filter(({ deadlineAt }) => deadlineAt !== undefined && deadlineAt <= now)
    await runs.expire(late.map((run) => run._id), now)
    const inTime = candidates.filter((run) => !late.includes(run))
    const able = await keep(inTime, 'no_worker', ({ name, v, queue }) => view.canHandle(name, v, queue))
    const reachable = await keep(able, 'target', (run) => targets.mayGo(run))
    const turns = await turnsOf(reachable, now)
    return await keep(reachable, 'serial', (run) => run.serial === undefined || turns.has(run._id))
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
  async function publish (passing: readonly Candidate[]): Promise<number> {
    let count = 0
    let adding: Promise<void> = Promise.resolve()
    for (const group of Map.groupBy(passing, (run) => run.release).values()) {
      const deliveries: Delivery[] = await runs.publish(group, randomUUID(), clock.now())
      await adding
      adding = delivery.add(deliveries)
      adding.catch(() => undefined)
      count += deliveries.length
    }
    await adding
    return count
  }

  function count (queue: string, published: number): void {
    if (published === 0) return
    onPublished(queue, published)
    const nowMs = performance.now()
    const rate = starts.get(queue) ?? { sinceMs: nowMs, count: 0, perSec: 0 }
    starts.set(queue, rate)
    rate.count += published
    if (nowMs - rate.sinceMs < 1000) return
    Object.assign(rate, { perSec: rate.count * 1000 / (nowMs - rate.sinceMs), sinceMs: nowMs, count: 0 })
  }

  return { pass, ended }
}

/** What is known of a queue between two polls. */
interface Window {
  /** Runs that are published or running. */
  live: number
  /** Nothing that is due was left behind. */
  isDry: boolean
  /** An interactive run was. */
  isUrgent: boolean
}

export type Relay = ReturnType<typeof createRelay>
