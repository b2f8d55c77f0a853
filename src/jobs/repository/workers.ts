import type { Db } from 'mongodb'
import type { ProcessId } from '../../kernel/index.ts'

/** A worker app: what it consumes and what it can handle (P). */
export interface WorkerRow extends ProcessId {
  _id: string
  codeVersion: string
  /** Concurrency by queue. */
  queues: Record<string, number>
  /** Names with their versions, as pairs: a name has dots, which a key must not. */
  handles: Array<{ name: string, version: number }>
  /** Starts and ends a second, and the mean time of a run, by queue, over the last minute. */
  rates?: Record<string, { startsPerS: number, endsPerS: number, meanRunMs: number }>
  rssBytes: number
  lagMs: number
  seenAt: Date
}

export type WorkerRepository = ReturnType<typeof createWorkerRepository>

/** Living workers. */
export function createWorkerRepository (db: Db) {
  const rows = db.collection<WorkerRow>('jobs.workers')

  return {
    async see ({ _id, seenAt, ...worker }: WorkerRow): Promise<void> {
      await rows.updateOne({ _id }, [{ $set: { ...literal(worker), seenAt: '$$NOW' } }], { upsert: true })
    },

    async remove (id: string): Promise<void> {
      await rows.deleteOne({ _id: id })
    },

    async list (): Promise<WorkerRow[]> {
      return await rows.find().toArray()
    }
  }
}

function literal (fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { $literal: value as unknown }]))
}
