import type { Db, Filter } from 'mongodb'
import { lanes, queues, type Lane, type Session } from '../../kernel/index.ts'
import type { Scope } from '../access.ts'
import type { CancelOrder } from '../cancel-order.ts'
import { idFloor } from '../keys.ts'
import { expiryOf, type Cancel, type RunRow } from '../run.ts'
import type { RunQuery, WaitingFilter } from '../schemas.ts'

/** A run with what batches and workflows note on it. */
export type ListedRun = RunRow & { batchId?: string, workflowId?: string }

/** Another lane, another time; its age counts from `dueAt`. */
export interface Reorder { lane?: Lane, runAt?: Date, dueAt?: Date }

/** A cancel of more ends them behind its answer. */
export const mostEnded = 5000

const waiting = ['blocked', 'pending', 'published'] as const
const perPage = 5000
const mostMs = 10_000

export type ControlRepository = ReturnType<typeof createControlRepository>

/** What operators read and change of runs; every change is a compare-and-set on the state. */
export function createControlRepository (db: Db) {
  const rows = db.collection<ListedRun>('jobs.runs')

  const count = async ({ part, by }: Part): Promise<number> => await rows.countDocuments(part, by)

  const end = async ({ part, by }: Part, cancel: Cancel): Promise<number> =>
    (await rows.updateMany(part, { $set: cancelled(cancel) }, by)).modifiedCount

  /** Notes on those that run that nobody wants them any more; whom. */
  async function ask (which: Filter<ListedRun>, cancel: Cancel): Promise<string[]> {
    const running = { ...which, ...live, state: 'running' as const }
    const found = await rows.find(running, { projection: { _id: 1 } }).limit(perPage).toArray()
    const ids = found.map(({ _id }) => _id)
    if (ids.length > 0) {
      await rows.updateMany(
        { _id: { $in: ids }, state: 'running', cancel: { $exists: false } }, { $set: { cancel } })
    }
    return ids
  }

  return {
    /** Newest first, one more than `limit`. */
    async list (
      scope: Scope, { after, limit, ...query }: Omit<RunQuery, 'cursor' | 'limit'> & { after?: string, limit: number }
    ): Promise<ListedRun[]> {
      return await rows.find(filterOf(scope, query, after), { projection: { data: 0, steps: 0, result: 0 } })
        .sort({ _id: -1 }).limit(limit + 1).maxTimeMS(mostMs).toArray()
    },

    async find (scope: Scope, id: string): Promise<ListedRun | undefined> {
      return await rows.findOne({ _id: id, ...within(scope) }) ?? undefined
    },

    /** Ends a run that does not run; as it was, undefined where it is not waiting. */
    async cancelWaiting (
      session: Session, scope: Scope, id: string, cancel: Cancel
    ): Promise<ListedRun | undefined> {
      const before = await rows.findOneAndUpdate(
        { _id: id, ...within(scope), state: { $in: [...waiting] } }, { $set: cancelled(cancel) }, { session })
      return before ?? undefined
    },

    /** Notes on a running run that nobody wants it any more: from now on it commits nothing. */
    async askToCancel (scope: Scope, id: string, cancel: Cancel): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, ...within(scope), state: 'running' },
        [{ $set: { cancel: { $ifNull: ['$cancel', literal(cancel)] } } }])
      return matchedCount === 1
    },

    /** Waiting runs that match and have no cancel, one more than `mostEnded`. */
    async waitingOf (scope: Scope, filter: WaitingFilter, but: readonly CancelOrder[]): Promise<string[]> {
      const which = wantedOf(scope, filter, but)
      const found = await Promise.all(Object.values(waitingParts(which)).map(async ({ part, by }) =>
        await rows.find(part, { projection: { _id: 1 }, ...by })
          .limit(mostEnded + 1).maxTimeMS(mostMs).toArray()))
      return found.flat().map(({ _id }) => _id).slice(0, mostEnded + 1)
    },

    /** Ends those of these that wait still; how many. */
    async endThese (ids: readonly string[], cancel: Cancel): Promise<number> {
      return await end(theseOf(ids), cancel)
    },

    /**
     * Ends of an order that stands what its answer is to find ended: what is young, what is with Redis, and what stands
     * for others (`dedupe`), which would take in what is added later. How many waited with those that end behind it.
     */
    async beginOrder ({ scope, filter, before, cancel }: CancelOrder, but: readonly CancelOrder[]): Promise<number> {
      const which = wantedOf(scope, filter, but)
      const old = { ...which, _id: { $lt: before } }
      const ends = [
        { part: { ...which, _id: { $gte: before }, state: { $in: [...waiting] } }, by: { hint: '_id_' } },
        { part: { ...old, state: { $in: [...waiting] }, 'dedupe.isActive': true }, by: { hint: 'dedupe' } },
        waitingParts(old).published
      ]
      const { pending, blocked } = waitingParts({ ...old, 'dedupe.isActive': { $ne: true } })
      return sum(await Promise.all([
        ...ends.map(async (part) => await end(part, cancel)), count(pending), count(blocked)
      ]))
    },

    /** Ends page by page what waits of an order: the ids of each page. */
    async * sweep ({ scope, filter, before, cancel }: CancelOrder, now: () => Date): AsyncGenerator<string[]> {
      const which = { ...wantedOf(scope, filter), _id: { $lt: before } }
      for (const { part, by } of Object.values(waitingParts(which))) {
        await using cursor = rows.find(part, { projection: { _id: 1 }, batchSize: perPage, ...by })
        while (await cursor.hasNext()) {
          const ids = cursor.readBufferedDocuments().map(({ _id }) => _id)
          await rows.updateMany(theseOf(ids).part, { $set: cancelled(cancel, now()) })
          yield ids
        }
      }
    },

    /** Asks those that run and match to end; whom. */
    async askMany (scope: Scope, filter: WaitingFilter, cancel: Cancel): Promise<string[]> {
      return await ask(whichOf(scope, filter), cancel)
    },

    /** The same of those that an order means. */
    async askOrdered ({ scope, filter, before, cancel }: CancelOrder): Promise<string[]> {
      return await ask({ ...wantedOf(scope, filter), _id: { $lt: before } }, cancel)
    },

    /** Gives a waiting run another lane or time; a delivery on its way is void. Undefined where it is not waiting. */
    async reorder (
      session: Session, scope: Scope, id: string, change: Reorder, now: Date
    ): Promise<ListedRun | undefined> {
      for (const state of waiting) {
        const to = state === 'blocked' ? {} : { state: 'pending' as const, isLive: false, heldBy: null }
        const run = await rows.findOneAndUpdate(
          { _id: id, ...within(scope), state }, { $set: { ...change, ...to, updatedAt: now } },
          { session, returnDocument: 'after' })
        if (run !== null) return run
      }
      return undefined
    },

    /** The same for all waiting runs that match; what is cancelled stays where it is. How many. */
    async reorderMany (
      scope: Scope, filter: WaitingFilter, { change, now, but }: {
        change: Reorder, now: Date, but: readonly CancelOrder[]
      }
    ): Promise<number> {
      const which = wantedOf(scope, filter, but)
      const $set = { ...change, updatedAt: now }
      const due = { ...$set, state: 'pending' as const, isLive: false, heldBy: null }
      const { pending, published, blocked } = waitingParts(which)
      return sum(await Promise.all([{ ...pending, $set: due }, { ...published, $set: due }, { ...blocked, $set }].map(
        async ({ part, by, $set }) => (await rows.updateMany(part, { $set }, by)).modifiedCount)))
    }
  }
}

function cancelled (cancel: Cancel, at = cancel.at) {
  return {
    state: 'cancelled' as const, isLive: false, heldBy: null, cancel, endedAt: at,
    ...expiryOf('cancelled', at.getTime())
  }
}

const literal = (value: unknown): unknown => ({ $literal: value })

/** Equality where one workspace is meant: its indexes begin with it. */
export function within (scope: Scope): { workspaceId?: string | { $in: string[] } } {
  if (scope === undefined) return {}
  const [only] = scope
  return { workspaceId: scope.length === 1 && only !== undefined ? only : { $in: [...scope] } }
}

function filterOf (scope: Scope, query: Omit<RunQuery, 'cursor' | 'limit'>, after?: string): Filter<ListedRun> {
  const { state, name, queue, lane, batchId, causeId, from, to } = query
  const isDead = state?.length === 1 && state[0] === 'dead'
  return {
    ...within(scope),
    // The index of the dead begins with the workspace.
    ...(isDead && scope === undefined ? { workspaceId: { $gte: '' } } : {}),
    ...(state === undefined ? {} : { state: isDead ? 'dead' as const : { $in: state } }),
    ...defined({ name, queue, lane, batchId, 'cause.id': causeId }),
    ...idRange({ from, to, after })
  }
}

function whichOf (scope: Scope, { name, batchId, causeId }: WaitingFilter): Filter<ListedRun> {
  return { ...within(scope), ...defined({ name, batchId, 'cause.id': causeId }) }
}

const queue = { $in: [...queues] }
const live = { isLive: true, queue }
const pending = { state: 'pending' as const, queue, lane: { $in: [...lanes] } }
/** What carries a cancel ends by itself. */
const wanted = { cancel: { $exists: false } }

/** Some runs, and the index that knows them. */
interface Part { part: Filter<ListedRun>, by: { hint?: string } }

/** What waits, each by the index that knows it: the store would rather read all that is pending. */
const waitingParts = (which: Filter<ListedRun>) => ({
  pending: { part: { ...which, ...pending }, by: {} },
  published: { part: { ...which, ...live, state: 'published' as const }, by: { hint: 'live' } },
  blocked: { part: { ...which, state: 'blocked' as const, needs: { $gte: '' } }, by: { hint: 'needs' } }
})

/** Those of these that wait still and are wanted. */
const theseOf = (ids: readonly string[]): Part =>
  ({ part: { _id: { $in: [...ids] }, state: { $in: [...waiting] }, ...wanted }, by: {} })

/** Runs that match and that nobody cancelled, by themselves or by one of these orders. */
function wantedOf (scope: Scope, filter: WaitingFilter, orders: readonly CancelOrder[] = []): Filter<ListedRun> {
  const others = orders.map((order) => ({ ...whichOf(order.scope, order.filter), _id: { $lt: order.before } }))
  return { ...whichOf(scope, filter), ...wanted, ...(others.length === 0 ? {} : { $nor: others }) }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, one) => total + one, 0)

export function defined<T extends object> (fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

/** Times as a range of ids, which rise with time; `after` goes on behind the last row of a page. */
export function idRange (
  { from, to, after }: { from?: string | undefined, to?: string | undefined, after?: string | undefined }
): { _id?: { $gte?: string, $lt?: string } } {
  const ends = [to === undefined ? [] : [idFloor(new Date(to))], after === undefined ? [] : [after]].flat()
  const until = ends.sort()[0]
  if (from === undefined && until === undefined) return {}
  return {
    _id: {
      ...(from === undefined ? {} : { $gte: idFloor(new Date(from)) }), ...(until === undefined ? {} : { $lt: until })
    }
  }
}
