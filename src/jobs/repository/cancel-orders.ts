import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'
import type { CancelOrder } from '../cancel-order.ts'

export type CancelOrderRepository = ReturnType<typeof createCancelOrderRepository>

export function createCancelOrderRepository (db: Db) {
  const rows = db.collection<CancelOrder>('jobs.cancel_orders')
  return {
    /** Also what no majority has yet: whoever waits for one finds what was claimed meanwhile. */
    async list (): Promise<CancelOrder[]> {
      return await rows.find({}, { readConcern: { level: 'local' } }).toArray()
    },

    async find (id: string): Promise<CancelOrder | undefined> {
      return await rows.findOne({ _id: id }) ?? undefined
    },

    async add (session: Session, order: CancelOrder): Promise<void> {
      await rows.insertOne(order, { session })
    },

    async remove (id: string): Promise<void> {
      await rows.deleteOne({ _id: id })
    }
  }
}
