import type { Db } from 'mongodb'
import { lanes, type Lane, type Queue } from '../../kernel/index.ts'
import { everyLane, everyQueue } from '../indexes.ts'
import type { RunRow } from '../run.ts'
import type { ScheduleRow } from '../schedules/row.ts'
import { canary, canaryName } from './canaries.ts'
import { oldestOf, type OldestOf } from './oldest.ts'

/** More are not counted: the answer is the same. */
const most = 100_000
const allLanes = { $in: [...lanes] }
/** Holds that another worker ends; what waits for a target or a serial is not helped by one. */
const freeHolds: Array<string | null> = [null, 'no_worker']
const helped = { $in: freeHolds }

export interface LiveCount { queue: Queue, lane: Lane, count: number }

export interface HeldCount extends LiveCount { reason: string }

export type LoadRepository = ReturnType<typeof createLoadRepository>

/** How much work there is (P: of all workspaces); every answer comes from an index and is bounded. */
export function createLoadRepository (db: Db) {
  const rows = db.collection<RunRow>('jobs.runs')
  const pendingUntil = (until: Date) => ({ state: 'pending' as const, heldBy: helped, runAt: { $lte: until } })
  const waiting = (queue: Queue, until: Date) => ({ ...pendingUntil(until), queue, lane: allLanes })

  return {
    /** Due runs that another worker could take, at most 100,000. */
    async due (queue: Queue, now: Date): Promise<number> {
      return await rows.countDocuments(waiting(queue, now), { limit: most })
    },

    /** Whether a run is due by then that is no canary. */
    async isDueUntil (queue: Queue, until: Date): Promise<boolean> {
      const work = { ...waiting(queue, until), name: { $ne: canaryName } }
      return await rows.findOne(work, { projection: { _id: 1 } }) !== null
    },

    /** Whether a slot of a schedule of these jobs is due by then: before it there is no run. */
    async isSlotDueUntil (jobs: readonly string[], until: Date): Promise<boolean> {
      const soon = { isEnabled: true, nextSlotAt: { $lte: until }, job: { $in: [...jobs] } }
      return await db.collection<ScheduleRow>('jobs.schedules').findOne(soon, { projection: { _id: 1 } }) !== null
    },

    /** Canaries among those that are due or live, by queue: no worker is started for one. */
    async canaries (now: Date): Promise<Map<string, number>> {
      const counts = await rows.aggregate<{ _id: string, count: number }>([
        { $match: { ...canary, $or: [{ isLive: true }, pendingUntil(now)] } },
        { $group: { _id: '$queue', count: { $sum: 1 } } }
      ]).toArray()
      return new Map(counts.map(({ _id, count }) => [_id, count]))
    },

    /** Runs that are published or at work, by queue and lane. */
    async live (): Promise<LiveCount[]> {
      const counts = await rows.aggregate<{ _id: { queue: Queue, lane: Lane }, count: number }>([
        { $match: { isLive: true, ...everyQueue } },
        { $group: { _id: { queue: '$queue', lane: '$lane' }, count: { $sum: 1 } } }
      ]).toArray()
      return counts.map(({ _id, count }) => ({ ..._id, count }))
    },

    /** Pending runs that are held, by queue, lane and reason; of the first 100,000. */
    async held (): Promise<HeldCount[]> {
      const counts = await rows.aggregate<{ _id: Omit<HeldCount, 'count'>, count: number }>([
        { $match: { state: 'pending', ...everyLane, heldBy: { $gt: '' } } },
        { $limit: most },
        { $group: { _id: { queue: '$queue', lane: '$lane', reason: '$heldBy' }, count: { $sum: 1 } } }
      ]).toArray()
      return counts.map(({ _id, count }) => ({ ..._id, count }))
    },

    /** Since when the oldest due run of each queue and lane waits that nothing holds. */
    async oldest (of: readonly Queue[], now: Date): Promise<OldestOf[]> {
      return await oldestOf(rows, of, now)
    },

    /**
     * Since when the oldest due run waits that nothing holds: one that a worker could take. Where no held run is older,
     * the index of times says it in one step; else the queues that have something waiting are looked through.
     */
    async oldestDue (now: Date): Promise<Date | undefined> {
      const projection = { runAt: 1, heldBy: 1 }
      const [first] = await rows.find({ state: 'pending', runAt: { $lte: now } }, { projection })
        .sort({ runAt: 1 }).limit(1).toArray()
      if (first === undefined || first.heldBy === null) return first?.runAt
      const found = await oldestOf(rows, await rows.distinct('queue', { state: 'pending' }), now)
      return found.map(({ runAt }) => runAt).toSorted((a, b) => a.getTime() - b.getTime())[0]
    },

    /** Workspaces with the most live runs, the busiest first. */
    async busiest (limit: number): Promise<Array<{ workspaceId: string, count: number }>> {
      const found = await rows.aggregate<{ _id: string, count: number }>([
        { $match: { isLive: true, ...everyQueue } },
        { $group: { _id: '$workspaceId', count: { $sum: 1 } } },
        { $sort: { count: -1, _id: 1 } },
        { $limit: limit }
      ]).toArray()
      return found.map(({ _id: workspaceId, count }) => ({ workspaceId, count }))
    },

    /** Dead letters that nobody looked after, at most 100,000. */
    async openLetters (): Promise<number> {
      return await db.collection('jobs.letters').countDocuments({ state: 'open' }, { limit: most })
    },

    /** When the run of the oldest open letter died. */
    async oldestLetterAt (): Promise<Date | undefined> {
      const [oldest] = await db.collection<{ state: 'open', failedAt: Date }>('jobs.letters')
        // A partial index is used where its first field is asked for.
        .find({ state: 'open', failedAt: { $gt: new Date(0) } }, { projection: { failedAt: 1 } })
        .sort({ failedAt: 1 }).limit(1).toArray()
      return oldest?.failedAt
    },

    /** Whether the last backup that ended has failed, also later at its proof; undefined: none has ended yet. */
    async hasBackupFailed (): Promise<boolean | undefined> {
      const [last] = await db.collection<{ _id: string, state: string, endedAt?: Date }>('jobs.backups')
        .find({ endedAt: { $exists: true } }, { projection: { state: 1 } }).sort({ _id: -1 }).limit(1).toArray()
      return last === undefined ? undefined : last.state === 'failed'
    },

    /** When the last backup began that was restored and compared. */
    async provenAt (): Promise<Date | undefined> {
      const [last] = await db.collection<{ startedAt: Date }>('jobs.backups')
        .find({ state: 'proven' }).sort({ startedAt: -1 }).limit(1).toArray()
      return last?.startedAt
    }
  }
}
