import type { Db } from 'mongodb'
import type { ProcessId } from '../../kernel/index.ts'

interface Row {
  _id: string
  holder: ProcessId | null
  /** The app that holds it; several apps may share one process in tests. */
  by: string | null
  fence: number
  until: Date
  /** Only of a keeper: the epoch of the Redis that it last published to. */
  epoch?: string
}

export interface LeaseState { holder: ProcessId | null, by: string | null, fence: number, until: Date }

const ttlMs = 10_000

export type LeaseRepository = ReturnType<typeof createLeaseRepository>

/** Leases (P) by the server's time. */
export function createLeaseRepository (db: Db) {
  const rows = db.collection<Row>('jobs.leases')
  const until = { $add: ['$$NOW', ttlMs] }

  return {
    async read (name: string): Promise<LeaseState | undefined> {
      return await rows.findOne({ _id: name }) ?? undefined
    },

    /** Makes the lease free where it does not exist yet. */
    async ensure (name: string): Promise<void> {
      try {
        await rows.updateOne(
          { _id: name }, { $setOnInsert: { holder: null, by: null, fence: 0, until: new Date(0) } }, { upsert: true })
      } catch (error) {
        if ((error as { code?: number }).code !== 11000) throw error
      }
    },

    /** Takes a lease that ran out, or that has exactly this fence (its holder is gone); the new fence, or null. */
    async take (
      name: string, { holder, by, fromFence }: { holder: ProcessId, by: string, fromFence?: number }
    ): Promise<number | null> {
      const free = fromFence === undefined ? { $expr: { $lte: ['$until', '$$NOW'] } } : { fence: fromFence }
      const row = await rows.findOneAndUpdate(
        { _id: name, ...free },
        [{ $set: { holder: { $literal: holder }, by, fence: { $add: ['$fence', 1] }, until } }],
        { returnDocument: 'after' })
      return row?.fence ?? null
    },

    async renew (name: string, by: string, fence: number): Promise<boolean> {
      const { matchedCount } = await rows.updateOne({ _id: name, by, fence }, [{ $set: { until } }])
      return matchedCount === 1
    },

    async giveBack (name: string, by: string, fence: number): Promise<void> {
      await rows.updateOne({ _id: name, by, fence }, { $set: { until: new Date(0), by: null } })
    },

    async epoch (name: string): Promise<string | undefined> {
      return (await rows.findOne({ _id: name }, { projection: { epoch: 1 } }))?.epoch
    },

    async setEpoch (name: string, fence: number, epoch: string): Promise<void> {
      await rows.updateOne({ _id: name, fence }, { $set: { epoch } })
    }
  }
}
