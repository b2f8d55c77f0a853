import type { Db, Filter } from 'mongodb'
import type { CursorValues, Session } from '../../kernel/index.ts'
import type { inboxStates } from '../schemas.ts'

/** An item of one person; account-level: asked for by `userId`. */
export interface Item {
  id: string
  userId: string
  workspaceId: string
  runId: string
  /** `seq` of its last change. */
  seq: number
  category: string
  title: string
  body: string
  link: string | null
  seenAt: Date | null
  readAt: Date | null
  archivedAt: Date | null
  createdAt: Date
}

export interface Counters { seq: number, unseen: number, unread: number }
export type ItemMarks = Partial<Pick<Item, 'seenAt' | 'readAt' | 'archivedAt'>>
export interface InboxQuery { state?: InboxState | undefined, after?: CursorValues | undefined, limit: number }
export type InboxState = typeof inboxStates[number]

type ItemRow = Omit<Item, 'id'> & { _id: string }
type CountersRow = Counters & { _id: string }

export type InboxRepository = ReturnType<typeof createInboxRepository>

export function createInboxRepository (db: Db) {
  const items = db.collection<ItemRow>('notifications.inbox_items')
  const counters = db.collection<CountersRow>('notifications.inbox_counters')
  return {
    async find (userId: string, id: string): Promise<Item | undefined> {
      const row = await items.findOne({ _id: id, userId })
      return row === null ? undefined : toItem(row)
    },

    async findMany (userId: string, ids: readonly string[]): Promise<Item[]> {
      return (await items.find({ userId, _id: { $in: [...ids] } }).toArray()).map(toItem)
    },

    /** The newest first; one more than `limit`. */
    async list (
      userId: string, { state, after, limit }: InboxQuery
    ): Promise<Item[]> {
      const beyond = after === undefined ? {} : { _id: { $lt: String(after[0]) } }
      const rows = await items.find({ userId, ...filterOf(state), ...beyond })
        .sort({ _id: -1 }).limit(limit + 1).toArray()
      return rows.map(toItem)
    },

    async counters (userId: string): Promise<Counters> {
      const row = await counters.findOne({ _id: userId })
      return { seq: row?.seq ?? 0, unseen: row?.unseen ?? 0, unread: row?.unread ?? 0 }
    },

    /** The next number of the inbox with the moved counters; collides with every other change of it. */
    async count (session: Session, userId: string, moved: { unseen: number, unread: number }): Promise<Counters> {
      const row = await counters.findOneAndUpdate(
        { _id: userId }, { $inc: { seq: 1, ...moved } }, { session, upsert: true, returnDocument: 'after' })
      if (row === null) throw new Error('an upsert answered nothing')
      return row
    },

    async add (session: Session, { id, ...item }: Item): Promise<void> {
      await items.insertOne({ _id: id, ...item }, { session })
    },

    /** The item as it is inside the transaction. */
    async read (session: Session, userId: string, id: string): Promise<Item | undefined> {
      const row = await items.findOne({ _id: id, userId }, { session })
      return row === null ? undefined : toItem(row)
    },

    async mark (session: Session, userId: string, id: string, marks: ItemMarks & { seq: number }): Promise<void> {
      await items.updateOne({ _id: id, userId }, { $set: marks }, { session })
    },

    /** Marks all up to an item; answers how many were unseen and unread before. */
    async markUpTo (
      session: Session, userId: string, upTo: string | undefined, marks: { seenAt: Date, readAt?: Date }
    ): Promise<{ unseen: number, unread: number }> {
      const reach = { userId, archivedAt: null, ...(upTo === undefined ? {} : { _id: { $lte: upTo } }) }
      const seen = await items.updateMany({ ...reach, seenAt: null }, { $set: { seenAt: marks.seenAt } }, { session })
      if (marks.readAt === undefined) return { unseen: seen.modifiedCount, unread: 0 }
      const read = await items.updateMany({ ...reach, readAt: null }, { $set: { readAt: marks.readAt } }, { session })
      return { unseen: seen.modifiedCount, unread: read.modifiedCount }
    }
  }
}

function filterOf (state: InboxState | undefined): Filter<ItemRow> {
  switch (state) {
    case 'unseen': return { archivedAt: null, seenAt: null }
    case 'unread': return { archivedAt: null, readAt: null }
    case 'read': return { archivedAt: null, readAt: { $ne: null } }
    case 'archived': return { archivedAt: { $ne: null } }
    case undefined: return { archivedAt: null }
  }
}

function toItem ({ _id, ...row }: ItemRow): Item {
  return { id: _id, ...row }
}
