import type { Db } from 'mongodb'

/** A subscriber as the installation knows it (P). */
export interface SubscriberRow {
  _id: string
  event: string
  name: string
  since: Date
  order: 'none' | 'subject'
  replay: 'safe' | 'refuse'
}

export type SubscriberRepository = ReturnType<typeof createSubscriberRepository>

export function createSubscriberRepository (db: Db) {
  const rows = db.collection<SubscriberRow>('jobs.subscribers')
  return {
    /** Writes down those that nobody wrote down before, with the time of the store. */
    async register (subscribers: ReadonlyArray<Omit<SubscriberRow, '_id' | 'since'>>): Promise<void> {
      const known = new Set((await rows.find({}, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id))
      for (const { event, name, order, replay } of subscribers) {
        const _id = `${event} ${name}`
        if (known.has(_id)) continue
        try {
          await rows.updateOne({ _id }, [{
            $set: {
              event, name, order, replay, since: { $ifNull: ['$since', '$$NOW'] }
            }
          }], { upsert: true })
        } catch (error) {
          // Another process that starts was faster.
          if ((error as { code?: number }).code !== 11000) throw error
        }
      }
    },

    /** Those that came since then. */
    async youngerThan (since: Date): Promise<SubscriberRow[]> {
      return await rows.find({ since: { $gte: since } }).toArray()
    }
  }
}
