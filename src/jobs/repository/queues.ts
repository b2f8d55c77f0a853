import type { Db } from 'mongodb'
import type { Queue } from '../../kernel/index.ts'
import { everyQueue } from '../indexes.ts'
import type { RunRow } from '../run.ts'
import { oldestStages, type OldestOf } from './oldest.ts'
import type { Pause } from './pauses.ts'
import type { WorkerRow } from './workers.ts'

/** A lane that has pending runs, of which 10,000 are counted. */
export interface Standing extends OldestOf { count: number }

/** How queues stand (P). */
export interface QueuesSeen {
  standings: Standing[]
  /** Runs that are published or running, by queue. */
  live: ReadonlyMap<Queue, number>
  workers: WorkerRow[]
  pauses: Pause[]
}

interface Found {
  oldest?: OldestOf
  live?: { queue: Queue, count: number }
  worker?: WorkerRow
  pause?: Pause
}

const most = 10_000

export type QueueRepository = ReturnType<typeof createQueueRepository>

export function createQueueRepository (db: Db) {
  const runs = db.collection<RunRow>('jobs.runs')
  const live = [
    { $match: { isLive: true, ...everyQueue } },
    { $group: { _id: '$queue', count: { $sum: 1 } } },
    { $project: { _id: 0, live: { queue: '$_id', count: '$count' } } }
  ]
  const workers = [{ $replaceWith: { worker: '$$ROOT' } }]
  const pauses = [{ $replaceWith: { pause: '$$ROOT' } }]

  return {
    /** One question, and one for each lane that has pending runs: whoever watches queues asks every two seconds. */
    async look (of: readonly Queue[]): Promise<QueuesSeen> {
      const found = await runs.aggregate<Found>([
        ...oldestStages(of),
        { $unionWith: { coll: 'jobs.runs', pipeline: live } },
        { $unionWith: { coll: 'jobs.workers', pipeline: workers } },
        { $unionWith: { coll: 'jobs.pauses', pipeline: pauses } }
      ]).toArray()
      const standings = found.flatMap(({ oldest }) => oldest ?? []).map(async (oldest) => {
        const { queue, lane } = oldest
        const count = { count: 'jobs.runs', query: { state: 'pending', queue, lane }, hint: 'waiting' }
        // The command counts in the index without looking at what it counts: a third of what an aggregate takes.
        const { n } = await db.command({ ...count, limit: most })
        return { ...oldest, count: n as number }
      })
      return {
        standings: await Promise.all(standings),
        live: new Map(found.flatMap((one) => one.live === undefined ? [] : [[one.live.queue, one.live.count]])),
        workers: found.flatMap(({ worker }) => worker ?? []),
        pauses: found.flatMap(({ pause }) => pause ?? [])
      }
    }
  }
}
