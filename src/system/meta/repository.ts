import type { Db } from 'mongodb'

export type HubMetaRepository = ReturnType<typeof createHubMetaRepository>

export function createHubMetaRepository (db: Db) {
  const rows = db.collection<{ _id: string, durableEpoch: number }>('sys.meta')
  return {
    /** Raised by the restore command only: a restored database may have lost numbers that clients have seen. */
    async durableEpoch (): Promise<number> {
      const row = await rows.findOneAndUpdate(
        { _id: 'live' }, { $setOnInsert: { durableEpoch: 1 } }, { upsert: true, returnDocument: 'after' })
      return row?.durableEpoch ?? 1
    }
  }
}
