import type { Db } from 'mongodb'
import { lanes, queues, type Lane, type Queue } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

/** A queue that starts nothing, of one workspace or of all (P). */
export interface Pause {
  _id: string
  queue: Queue
  workspaceId: string | null
  by: string
  reason: string
  at: Date
}

export interface Standing { queue: Queue, lane: Lane, count: number, oldest: Date }

const fast = { writeConcern: { w: 1 } } as const
const most = 10_000

const isWhole = ({ workspaceId }: Pause): boolean => workspaceId === null

export type PauseRepository = ReturnType<typeof createPauseRepository>

/** Paused queues, and how the queues stand. */
export function createPauseRepository (db: Db) {
  const rows = db.collection<Pause>('jobs.pauses')
  const runs = db.collection<RunRow>('jobs.runs')
  const lane = { $in: [...lanes] }

  const heldBy = ({ queue, workspaceId }: Pause) => ({ queue, ...(workspaceId === null ? {} : { workspaceId }) })

  return {
    async list (): Promise<Pause[]> {
      return await rows.find().toArray()
    },

    async pause ({ _id, ...pause }: Pause): Promise<void> {
      await rows.replaceOne({ _id }, pause, { upsert: true })
    },

    async resume (id: string): Promise<void> {
      await rows.deleteOne({ _id: id })
    },

    /** Marks what waits, and takes back what was handed to Redis and nobody started. */
    async hold (pause: Pause): Promise<void> {
      await runs.updateMany(
        { state: 'pending', ...heldBy(pause), lane, heldBy: { $in: [null, 'serial'] } },
        { $set: { heldBy: 'paused' } }, fast)
      await runs.updateMany(
        { isLive: true, ...heldBy(pause), state: 'published' },
        { $set: { state: 'pending', isLive: false, heldBy: 'paused' } }, fast)
    },

    /** Lets go of what is held for a pause that is over; what waits in a queue that stands still is not read. */
    async freeAllBut (pauses: readonly Pause[]): Promise<void> {
      const [still, partly] = [pauses.filter(isWhole), pauses.filter((pause) => !isWhole(pause))]
      const others = queues.filter((queue) => !still.some((pause) => pause.queue === queue))
      await runs.updateMany({
        state: 'pending', queue: { $in: others }, lane, heldBy: 'paused',
        ...(partly.length === 0 ? {} : { $nor: partly.map(heldBy) })
      }, { $set: { heldBy: null } }, fast)
    },

    /**
     * Pending runs of each lane, of which 10,000 are counted, and since when the oldest is due of those with which the
     * index begins in each workspace: what nothing holds comes first. Lanes that have some.
     */
    async standings (of: readonly Queue[]): Promise<Standing[]> {
      const [first, ...others] = of.flatMap((queue) => lanes.map((lane) => [
        { $match: { state: 'pending', queue, lane } },
        { $sort: { state: 1, queue: 1, lane: 1, workspaceId: 1, heldBy: 1, runAt: 1 } },
        { $group: { _id: '$workspaceId', runAt: { $first: '$runAt' } } },
        { $group: { _id: null, oldest: { $min: '$runAt' } } },
        { $set: { queue, lane } }
      ]))
      if (first === undefined) return []
      const found = await runs.aggregate<Omit<Standing, 'count'>>([
        ...first, ...others.map((pipeline) => ({ $unionWith: { coll: runs.collectionName, pipeline } }))
      ]).toArray()
      return await Promise.all(found.map(async ({ queue, lane, oldest }) => {
        const count = { count: runs.collectionName, query: { state: 'pending', queue, lane }, hint: 'waiting' }
        // The command counts in the index without looking at what it counts: a third of what an aggregate takes.
        const { n } = await db.command({ ...count, limit: most })
        return { queue, lane, oldest, count: n as number }
      }))
    }
  }
}
