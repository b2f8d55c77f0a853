import type { Db } from 'mongodb'
import { lanes, queues, type Queue } from '../../kernel/index.ts'
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

const fast = { writeConcern: { w: 1 } } as const

const isWhole = ({ workspaceId }: Pause): boolean => workspaceId === null

export type PauseRepository = ReturnType<typeof createPauseRepository>

/** Paused queues. */
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
    }
  }
}
