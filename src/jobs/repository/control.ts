import type { Db, Filter } from 'mongodb'
import { lanes, queues, type Lane, type Session } from '../../kernel/index.ts'
import type { Scope } from '../access.ts'
import { idFloor } from '../keys.ts'
import { expiryOf, mostTold, type Cancel, type RunRow } from '../run.ts'
import type { RunQuery, WaitingFilter } from '../schemas.ts'

/** A run with what batches and workflows note on it. */
export type ListedRun = RunRow & { batchId?: string, workflowId?: string }

/** Another lane, another time; its age counts from `dueAt`. */
export interface Reorder { lane?: Lane, runAt?: Date, dueAt?: Date }

const waiting = ['blocked', 'pending', 'published'] as const
const pages = 5000
const mostMs = 10_000

export type ControlRepository = ReturnType<typeof createControlRepository>

/** What operators read and change of runs; every change is a compare-and-set on the state. */
export function createControlRepository (db: Db) {
  const rows = db.collection<ListedRun>('jobs.runs')

  async function endMarked (which: Filter<ListedRun>, now: Date): Promise<number> {
    // What is pending is not live, and what held it is of no interest: each field costs the store its indexes.
    const $set = { state: 'cancelled' as const, endedAt: now, ...expiryOf('cancelled', now.getTime()) }
    return sum(await Promise.all(pendingHalves.map(async (half) =>
      (await rows.updateMany({ ...which, ...half, cancel: { $exists: true } }, { $set })).modifiedCount)))
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

    /**
     * Keeps all waiting runs that match from starting, and asks those that run; answers how many waited, and the ids of
     * those that run. Where `isMarked`, many carry the cancel and are to be ended by `endMarked`.
     */
    async cancelMany (
      scope: Scope, filter: WaitingFilter, cancel: Cancel
    ): Promise<{ cancelled: number, asked: string[], isMarked: boolean }> {
      const which = whichOf(scope, filter)
      // A mark is in no index: it costs the store a third of a change of state.
      const marks = await Promise.all(pendingHalves.map(async (half) => (await rows.updateMany(
        { ...which, ...half, ...unmarked }, { $set: { cancel } })).modifiedCount))
      const marked = sum(marks)
      const ends = await Promise.all(endedAtOnce.map(async ({ part, hint }) =>
        (await rows.updateMany({ ...which, ...part }, { $set: cancelled(cancel) }, { hint })).modifiedCount))
      const isMarked = marked > pages
      if (!isMarked) await endMarked(which, cancel.at)
      const running = { ...which, ...live, state: 'running' as const }
      const found = await rows.find(running, { projection: { _id: 1 } }).limit(pages).toArray()
      const asked = found.map(({ _id }) => _id)
      if (asked.length > 0) {
        await rows.updateMany(
          { _id: { $in: asked }, state: 'running', cancel: { $exists: false } }, { $set: { cancel } })
      }
      return { cancelled: marked + sum(ends), asked, isMarked }
    },

    /** Some waiting runs that match, for whoever watches them when they have ended. */
    async waitingOf (scope: Scope, filter: WaitingFilter): Promise<string[]> {
      const which = whichOf(scope, filter)
      const found = await Promise.all([{ part: pending, hint: undefined }, ...endedAtOnce].map(async ({ part, hint }) =>
        await rows.find({ ...which, ...part }, { projection: { _id: 1 }, ...(hint === undefined ? {} : { hint }) })
          .limit(mostTold).maxTimeMS(mostMs).toArray()))
      return [...new Set(found.flat().map(({ _id }) => _id))].slice(0, mostTold)
    },

    /** Ends all waiting runs that match and carry a cancel; how many. */
    async endMarked (scope: Scope, filter: WaitingFilter, now: Date): Promise<number> {
      return await endMarked(whichOf(scope, filter), now)
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

    /** The same for all waiting runs that match; what carries a cancel stays where it is. How many. */
    async reorderMany (
      scope: Scope, filter: WaitingFilter, change: Reorder, now: Date
    ): Promise<number> {
      const which = { ...whichOf(scope, filter), cancel: { $exists: false } }
      const $set = { ...change, updatedAt: now }
      const due = { ...$set, state: 'pending' as const, isLive: false, heldBy: null }
      const writes = [
        ...pendingHalves.map((half) => ({ part: half, $set: due, hint: undefined })),
        { ...published, $set: due },
        { ...blocked, $set }
      ]
      return sum(await Promise.all(writes.map(async ({ part, $set, hint }) => (await rows.updateMany(
        { ...which, ...part }, { $set }, hint === undefined ? {} : { hint })).modifiedCount)))
    }
  }
}

function cancelled (cancel: Cancel) {
  const now = cancel.at
  return {
    state: 'cancelled' as const, isLive: false, heldBy: null, cancel, endedAt: now,
    ...expiryOf('cancelled', now.getTime())
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
/**
 * Two halves are written side by side: a change of state costs the store 30 to 40 us of processor. The id is in the
 * index of what waits, so that the other half is not read; its end is random (RFC 9562, version 7).
 */
const pendingHalves: ReadonlyArray<Filter<ListedRun>> = [{ ...pending, _id: /[0-7]$/ }, { ...pending, _id: /[^0-7]$/ }]
/** A run that stands for others would take in what is added after the cancel: it has no time between. */
const unmarked = { cancel: { $exists: false }, 'dedupe.isActive': { $ne: true } }
/** What waits otherwise, each by the index that knows it: the store would rather read all that is pending. */
const published = { part: { ...live, state: 'published' as const }, hint: 'live' }
const blocked = { part: { state: 'blocked' as const, needs: { $gte: '' } }, hint: 'needs' }
const endedAtOnce: ReadonlyArray<{ part: Filter<ListedRun>, hint: string }> = [
  { ...published, part: { ...published.part, cancel: { $exists: false } } }, blocked,
  { part: { ...pending, 'dedupe.isActive': true }, hint: 'dedupe' }
]

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
