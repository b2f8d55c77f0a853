import type { Db } from 'mongodb'
import type { Lane, RunState, Session } from '../../kernel/index.ts'
import { expiryOf, mostTold, type Cancel, type RunRow } from '../run.ts'

export interface StoredCallback { job: string, data: unknown, lane?: Lane }

export type CallbackKind = 'complete' | 'success' | 'death'

/** Runs by state. */
export type RunCounts = Partial<Record<RunState, number>>

/** The end of a batch: its runs leave the store long before it does. */
export interface BatchEnd { completedAt: Date, counts: RunCounts }

/** A document of `jobs.batches`. */
export interface BatchRow {
  _id: string
  workspaceId: string
  name: string
  isSealed: boolean
  /** The run that brings the others in: with its end the batch is sealed. */
  filledBy?: string
  /** Pages that entered. */
  pages: number
  /** Open until every run has ended and the batch is sealed. */
  state: 'open' | 'complete'
  callbacks: Partial<Record<CallbackKind, StoredCallback>>
  /** Kinds whose run was made. */
  called: CallbackKind[]
  /** Rises with everything that may bring runs in. */
  rev: number
  counts?: RunCounts
  countedAt?: Date
  createdAt: Date
  completedAt?: Date
  expireAt?: Date
}

const keptMs = 90 * 86_400_000
const unended = { $in: ['blocked', 'pending', 'published', 'running'] as RunState[] }

export type BatchRepository = ReturnType<typeof createBatchRepository>

/** Batches; how many of their runs are left is asked, never counted along. */
export function createBatchRepository (db: Db) {
  const rows = db.collection<BatchRow>('jobs.batches')
  const runs = db.collection<RunRow>('jobs.runs')

  async function tally (id: string): Promise<RunCounts> {
    const found = await runs.aggregate<{ _id: RunState, count: number }>([
      { $match: { batchId: id } }, { $group: { _id: '$state', count: { $sum: 1 } } }
    ]).toArray()
    return Object.fromEntries(found.map(({ _id, count }) => [_id, count]))
  }

  return {
    tally,

    async insert (session: Session, batch: BatchRow): Promise<void> {
      await rows.insertOne(batch, { session })
    },

    /** Makes it where nobody did. */
    async ensure ({ _id, ...batch }: BatchRow): Promise<void> {
      await rows.updateOne({ _id }, { $setOnInsert: batch }, { upsert: true })
    },

    async find (workspaceIds: readonly string[] | undefined, id: string): Promise<BatchRow | undefined> {
      return await rows.findOne(
        { _id: id, ...(workspaceIds !== undefined && { workspaceId: { $in: [...workspaceIds] } }) }) ?? undefined
    },

    async findIn (session: Session, id: string): Promise<BatchRow | undefined> {
      return await rows.findOne({ _id: id }, { session }) ?? undefined
    },

    /** Makes room for a page; false where the batch has other pages, is sealed or complete. */
    async enter (session: Session, id: string, page: number): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: 'open', isSealed: false, pages: page }, { $inc: { pages: 1, rev: 1 } }, { session })
      return matchedCount === 1
    },

    /** Makes room for a page of the run that fills it; false where somebody ended the batch. */
    async grow (session: Session, id: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: 'open', isSealed: false }, { $inc: { pages: 1, rev: 1 } }, { session })
      return matchedCount === 1
    },

    /** Whether the run that brings the others in has ended. */
    async hasEnded (filledBy: string): Promise<boolean> {
      return await runs.findOne({ _id: filledBy, state: unended }, { projection: { _id: 1 } }) === null
    },

    /** Makes sure that a batch does not complete while a run enters; false where it is complete. */
    async touch (session: Session, workspaceId: string, id: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, workspaceId, state: 'open' }, { $inc: { rev: 1 } }, { session })
      return matchedCount === 1
    },

    async seal (session: Session | undefined, id: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id }, { $set: { isSealed: true }, $inc: { rev: 1 } }, { ...(session && { session }) })
      return matchedCount === 1
    },

    async hasUnended (id: string): Promise<boolean> {
      return await runs.findOne({ batchId: id, state: unended }, { projection: { _id: 1 } }) !== null
    },

    /** Whether one of its runs ended so. */
    async has (id: string, states: readonly RunState[]): Promise<boolean> {
      return await runs.findOne({ batchId: id, state: { $in: [...states] } }, { projection: { _id: 1 } }) !== null
    },

    /** Notes that callbacks were made, and the end, unless something came in since it was read. */
    async advance (
      session: Session, { _id, rev }: BatchRow, called: readonly CallbackKind[], end?: BatchEnd
    ): Promise<boolean> {
      const { matchedCount } = await rows.updateOne({ _id, rev, state: 'open' }, {
        $addToSet: { called: { $each: [...called] } },
        $inc: { rev: 1 },
        ...(end && {
          $set: {
            state: 'complete', ...end, countedAt: end.completedAt,
            expireAt: new Date(end.completedAt.getTime() + keptMs)
          }
        })
      }, { session })
      return matchedCount === 1
    },

    /** Counts its runs by state, and keeps what it counted, unless that of its end is kept. */
    async count (id: string, now: Date): Promise<RunCounts> {
      const counts = await tally(id)
      const ended = { state: 'complete' as const, $expr: { $gte: ['$countedAt', '$completedAt'] } }
      await rows.updateOne({ _id: id, $nor: [ended] }, { $set: { counts, countedAt: now } })
      return counts
    },

    /** Ends what waits and tells what runs that nobody wants it; some of those that ended, for whoever watches them. */
    async cancel (id: string, cancel: Cancel): Promise<string[]> {
      const now = cancel.at
      await runs.updateMany(
        { batchId: id, state: { $in: ['blocked', 'pending', 'published'] } },
        {
          $set: {
            state: 'cancelled', isLive: false, heldBy: null, cancel, endedAt: now,
            ...expiryOf('cancelled', now.getTime())
          }
        })
      await runs.updateMany({ batchId: id, state: 'running', cancel: { $exists: false } }, { $set: { cancel } })
      const ended = await runs.find(
        { batchId: id, state: 'cancelled', endedAt: now }, { projection: { _id: 1 } }).limit(mostTold).toArray()
      return ended.map(({ _id }) => _id)
    }
  }
}
