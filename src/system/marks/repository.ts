import type { Db } from 'mongodb'

/** Where a loop that reads a stream goes on: everything before it was dealt with. */
export interface Mark { token: unknown, fence: number, at: Date }

export type MarkRepository = ReturnType<typeof createMarkRepository>

export function createMarkRepository (db: Db) {
  const rows = db.collection<Mark & { _id: string }>('sys.marks')
  return {
    async find (name: string): Promise<Mark | undefined> {
      const row = await rows.findOne({ _id: name })
      return row === null ? undefined : { token: row.token, fence: row.fence, at: row.at }
    },

    /** Keeps the mark unless a later holder of the lease has written; false then. */
    async save (name: string, { token, fence, at }: Mark): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: name, fence: { $lte: fence } }, { $set: { token, fence, at } })
      if (matchedCount === 1) return true
      const { upsertedCount } = await rows.updateOne(
        { _id: name }, { $setOnInsert: { token, fence, at } }, { upsert: true })
      return upsertedCount === 1
    }
  }
}
