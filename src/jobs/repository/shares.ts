import type { Db } from 'mongodb'
import { queues, type Queue } from '../../kernel/index.ts'
import { everyLane, everyQueue } from '../indexes.ts'
import { keptMs, type RunRow } from '../run.ts'

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

/** The newest of more tell the same. */
const mostStarts = 10_000
/** What only helps an operator to see costs the store no more. */
const hintMs = 1000

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
        { state: 'pending', ...everyLane, workspaceId },
        { limit, maxTimeMS: 5000, hint: 'waiting' })
    },

    /** Runs of the workspace that are published or at work in the queue. Throws when that takes long. */
    async live (workspaceId: string, queue: Queue): Promise<number> {
      return await runs.countDocuments({ isLive: true, queue, workspaceId }, { hint: 'live', maxTimeMS: hintMs })
    },

    /**
     * When runs of the workspace were started since then, in ms and in order; of what ended, it is found by when it
     * expires, so that no start costs an index of its own. What died or waits for another try is not among them.
     * Throws when that takes long.
     */
    async starts (workspaceId: string, sinceMs: number, nowMs: number): Promise<number[]> {
      const started = { workspaceId, publishedAt: { $gt: new Date(sinceMs) } }
      const projection = { publishedAt: 1 }
      const found = await Promise.all([
        runs.find({ isLive: true, ...everyQueue, ...started }, { projection, hint: 'live' })
          .limit(mostStarts).maxTimeMS(hintMs).toArray(),
        ...Object.values(keptMs).map(async (ms) => await runs.find(
          { expireAt: { $gte: new Date(sinceMs + ms), $lte: new Date(nowMs + ms) }, ...started },
          { projection, hint: 'expire', maxTimeMS: hintMs }).sort({ expireAt: -1 }).limit(mostStarts).toArray())
      ])
      return found.flat().flatMap(({ publishedAt }) => publishedAt?.getTime() ?? []).toSorted((a, b) => a - b)
    }
  }
}
