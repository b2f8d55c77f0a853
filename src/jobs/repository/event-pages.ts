import type { Db, Filter } from 'mongodb'
import type { Session } from '../../kernel/index.ts'
import type { Scope } from '../access.ts'
import { defined, idRange, within } from './control.ts'
import type { EventRow } from './events.ts'

export interface LogFilter {
  type?: string | undefined
  subject?: { type: string, id: string } | undefined
  from?: string | undefined
  to?: string | undefined
}

const mostMs = 10_000

export type EventPages = ReturnType<typeof createEventPages>

/** The log of events by time. */
export function createEventPages (db: Db) {
  const rows = db.collection<EventRow>('jobs.events')

  return {
    /** Newest first, one more than `limit`. */
    async list (
      scope: Scope, filter: LogFilter, { after, limit }: { after?: string, limit: number }
    ): Promise<EventRow[]> {
      return await rows.find(filterOf(scope, filter, after)).sort({ _id: -1 }).limit(limit + 1)
        .maxTimeMS(mostMs).toArray()
    },

    async count (scope: Scope, filter: LogFilter): Promise<number> {
      return await rows.countDocuments(filterOf(scope, filter), { maxTimeMS: mostMs })
    },

    /** Oldest first, behind an id. */
    async page (scope: Scope, filter: LogFilter, after: string, limit: number): Promise<EventRow[]> {
      const { _id: range, ...rest } = filterOf(scope, filter) as { _id?: object }
      return await rows.find({ ...rest, _id: { ...range, $gt: after } } as Filter<EventRow>)
        .sort({ _id: 1 }).limit(limit).toArray()
    },

    /** Events behind an id that do not have all hearers of their type (P), oldest first. */
    async lacking (hearers: ReadonlyMap<string, readonly string[]>, after: string, limit: number): Promise<EventRow[]> {
      const lacks = [...hearers].map(([type, names]) => ({ type, subscribers: { $not: { $all: [...names] } } }))
      return await rows.find({ _id: { $gt: after }, $or: lacks }).sort({ _id: 1 }).limit(limit).toArray()
    },

    /** Notes that somebody more hears the event; false where that is noted already. */
    async addHearer (session: Session, id: string, name: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, subscribers: { $ne: name } }, { $push: { subscribers: name } }, { session })
      return matchedCount === 1
    }
  }
}

function filterOf (scope: Scope, { type, subject, from, to }: LogFilter, after?: string): Filter<EventRow> {
  return {
    ...within(scope),
    ...defined({ type }),
    ...(subject === undefined ? {} : { 'subject.type': subject.type, 'subject.id': subject.id }),
    // Without a type only the index of histories helps.
    ...(subject !== undefined && type === undefined ? { 'subject.version': { $exists: true } } : {}),
    ...idRange({ from, to, after })
  }
}
