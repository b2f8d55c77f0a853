import { isDomainError, type Clock, type LeaseTurn, type Live, type Tx } from '../kernel/index.ts'
import { mergeParts } from './collector.ts'
import { partitionOf, tiers } from './keys.ts'
import type { AnalyticsRepository } from './repository.ts'
import type { LiveMetric } from './schemas.ts'
import { AnalyticsLive } from './topics.ts'

interface Collaborators { analytics: AnalyticsRepository, tx: Tx, clock: Clock, live: Live }

const batchesPerTurn = 200
const lookBackMs = 600_000

interface Touched { workspaceId: string, name: string }

/** Counts kept batches into rollups, each exactly once, and publishes what moved (`analytics.md` 4.2). */
export function createFold ({ analytics, tx, clock, live }: Collaborators) {
  /** Names whose current values are still to be published, by partition: the live store may be away. */
  const unpublished = new Map<number, Map<string, Touched>>()

  /** One turn over a partition; the number of batches that were folded. */
  async function turn (partition: number, fence: number): Promise<number> {
    const readAt = clock.now()
    await tell(partition)
    const batches = await analytics.readyBatches(partition, batchesPerTurn)
    if (batches.length === 0) {
      await analytics.moveWatermark(partition, fence, readAt)
      return 0
    }
    const parts = mergeParts(batches.flatMap((batch) => batch.parts))
    await tx(async (session) => {
      if (!await analytics.holdPartition(session, partition, fence)) throw new Error('another fold has this partition')
      await analytics.fold(session, batches.map(({ id }) => id), parts, readAt)
    })
    touch(partition, parts)
    await tell(partition)
    return batches.length
  }

  function touch (partition: number, touched: readonly Touched[]): void {
    const names = unpublished.get(partition) ?? new Map<string, Touched>()
    for (const { workspaceId, name } of touched) names.set(`${workspaceId}|${name}`, { workspaceId, name })
    unpublished.set(partition, names)
  }

  /** What the live store does not take now is told in a later turn; the counting goes on. */
  async function tell (partition: number): Promise<void> {
    try {
      await publish(partition)
    } catch (error) {
      if (!isDomainError(error, 'live.broker_unavailable')) throw error
    }
  }

  async function publish (partition: number): Promise<void> {
    const names = unpublished.get(partition) ?? new Map<string, Touched>()
    for (const [key, { workspaceId, name }] of names) {
      const { value, delta, at } = await current(workspaceId, name)
      await live.publish(AnalyticsLive, { workspaceId }, { kind: 'metric', key: name, data: { value, delta, at } })
      names.delete(key)
    }
  }

  async function current (workspaceId: string, name: string): Promise<LiveMetric> {
    const nowMs = clock.ms()
    const dayMs = Math.floor(nowMs / 86_400_000) * 86_400_000
    const minuteMs = Math.floor(nowMs / tiers.minute.ms) * tiers.minute.ms
    const question = { workspaceId, event: name, where: [], groupBy: [], grain: 'none' as const, zone: 'UTC' }
    const [day, minute] = await Promise.all([
      analytics.countRollups({ ...question, fromMs: dayMs, toMs: dayMs + 86_400_000 }, 'quarter'),
      analytics.countRollups({ ...question, fromMs: minuteMs, toMs: minuteMs + tiers.minute.ms }, 'minute')
    ])
    return { name, value: day[0]?.count ?? 0, delta: minute[0]?.count ?? 0, at: new Date(nowMs).toISOString() }
  }

  return {
    turn,
    current,

    /** The loop of the lease `analytics.fold:<partition>`; `pause` ends early when something was kept. */
    async run (partition: number, { fence, signal }: LeaseTurn, pause: (ms: number) => Promise<void>): Promise<void> {
      if (!await analytics.enterPartition(partition, fence)) return
      // The holder before may have counted and died before it could tell.
      const lately = await analytics.countedSince(new Date(clock.ms() - lookBackMs))
      touch(partition, lately.filter(({ workspaceId }) => partitionOf(workspaceId) === partition))
      while (!signal.aborted) {
        const folded = await turn(partition, fence)
        await pause(folded === batchesPerTurn ? 0 : folded > 0 ? 250 : 1000)
      }
    }
  }
}
