import type { Db } from 'mongodb'
import { lanes, queues } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

/** What an operator gives one workspace of the queues (P); what is absent is the default. */
export interface Share {
  _id: string
  /** Quantum of its turns, times ten; 1 by default. */
  weight?: number
  /** Live runs of a queue while others wait; half of its window by default. */
  maxLive?: number
  /** Starts a minute, in all queues together. */
  perMin?: number
  /** Pending runs; 1,000,000 by default. */
  maxBacklog?: number
}

export type ShareRepository = ReturnType<typeof createShareRepository>

/** Shares of workspaces, and how much of them waits. */
export function createShareRepository (db: Db) {
  const rows = db.collection<Share>('jobs.shares')
  const runs = db.collection<RunRow>('jobs.runs')
  const pauses = db.collection<{ _id: string, queue: string, workspaceId: string | null }>('jobs.pauses')

  return {
    async all (): Promise<Share[]> {
      return await rows.find().toArray()
    },

    async find (workspaceId: string): Promise<Share | undefined> {
      return await rows.findOne({ _id: workspaceId }) ?? undefined
    },

    async set ({ _id, ...share }: Share): Promise<void> {
      await rows.replaceOne({ _id }, share, { upsert: true })
    },

    /** Queues, workspaces (`queue workspace`) whose runs need the relay's leave for each start. */
    async withoutRows (): Promise<Set<string>> {
      const [paused, limited] = await Promise.all([
        pauses.find().toArray(), rows.find({ perMin: { $exists: true } }, { projection: { _id: 1 } }).toArray()
      ])
      return new Set([
        ...paused.map(({ queue, workspaceId }) => workspaceId === null ? queue : `${queue} ${workspaceId}`),
        ...limited.flatMap(({ _id }) => queues.map((queue) => `${queue} ${_id}`))
      ])
    },

    /** Pending runs of the workspace, counted no further than the limit. */
    async backlog (workspaceId: string, limit: number): Promise<number> {
      return await runs.countDocuments(
        { state: 'pending', queue: { $in: [...queues] }, lane: { $in: [...lanes] }, workspaceId },
        { limit, maxTimeMS: 5000, hint: 'waiting' })
    }
  }
}
