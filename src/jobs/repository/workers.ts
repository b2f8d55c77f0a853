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

const resources = 'jobs.resources'

/** Of a document that may also say what the target holds at once (`repository/resources.ts`). */
interface Resource { _id: string, holdUntil?: Date, probe?: boolean, rev?: number }

export interface Hold { target: string, untilMs: number, isProbe: boolean }

export type WorkerRepository = ReturnType<typeof createWorkerRepository>

/** Living workers and held targets. */
export function createWorkerRepository (db: Db) {
  const rows = db.collection<WorkerRow>('jobs.workers')
  const holds = db.collection<Resource>(resources)

  return {
    async see ({ _id, seenAt, ...worker }: WorkerRow): Promise<void> {
      await rows.updateOne({ _id }, [{ $set: { ...literal(worker), seenAt: '$$NOW' } }], { upsert: true })
    },

    async remove (id: string): Promise<void> {
      await rows.deleteOne({ _id: id })
    },

    async list (): Promise<WorkerRow[]> {
      return await rows.find().toArray()
    },

    /** Keeps a target from being called until then; `isProbe`: only one run goes first afterwards. */
    async hold (target: string, until: Date, isProbe: boolean): Promise<void> {
      try {
        await holds.updateOne(
          { _id: target }, { $max: { holdUntil: until }, $set: { probe: isProbe } }, { upsert: true }
        )
      } catch (error) {
        if ((error as { code?: number }).code !== 11000) throw error
      }
    },

    async holds (): Promise<Hold[]> {
      const found = await holds.find({ holdUntil: { $exists: true } }).toArray()
      return found.map(({ _id, holdUntil, probe = false }) =>
        ({ target: _id, untilMs: holdUntil?.getTime() ?? 0, isProbe: probe }))
    },

    async unhold (target: string, until: Date): Promise<void> {
      const { deletedCount } = await holds.deleteOne(
        { _id: target, holdUntil: { $lte: until }, rev: { $exists: false } })
      if (deletedCount === 0) {
        await holds.updateOne({ _id: target, holdUntil: { $lte: until } }, { $unset: { holdUntil: '', probe: '' } })
      }
    }
  }
}

function literal (fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, { $literal: value as unknown }]))
}
