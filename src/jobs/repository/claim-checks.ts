import type { Db } from 'mongodb'

interface ClaimCheckRow { _id: string, keepUntil: Date }

/** Where claim checks are, and how long (P: the run that has one knows its tenant). */
export function createClaimCheckRepository (db: Db) {
  const rows = db.collection<ClaimCheckRow>('jobs.claim_checks')

  return {
    async add (key: string, keepUntil: Date): Promise<void> {
      await rows.insertOne({ _id: key, keepUntil })
    },

    async expired (now: Date, limit: number): Promise<string[]> {
      const found = await rows.find({ keepUntil: { $lte: now } }).sort({ keepUntil: 1 }).limit(limit).toArray()
      return found.map(({ _id }) => _id)
    },

    async forget (key: string): Promise<void> {
      await rows.deleteOne({ _id: key })
    }
  }
}

export type ClaimCheckRepository = ReturnType<typeof createClaimCheckRepository>
