import type { Db, Filter } from 'mongodb'
import type { Session } from '../../kernel/index.ts'
import type { Scope } from '../access.ts'
import type { RunRow } from '../run.ts'
import type { LetterFilter, LetterState } from '../schemas.ts'
import type { Letter } from './claims.ts'
import { defined, idRange, within } from './control.ts'

export interface Group {
  fingerprint: string
  name: string
  class: string
  code: string
  message: string
  count: number
  firstAt: Date
  lastAt: Date
  workspaces: Array<{ workspaceId: string, count: number }>
  sampleId: string
}

export interface Closing { state: 'replayed' | 'discarded', by: string, at: Date, reason?: string }

/** What was closed is kept for so long. */
const keptMs = 30 * 86_400_000
const mostGroups = 500
const mostWorkspaces = 10

export type LetterRepository = ReturnType<typeof createLetterRepository>

/** Dead letters; a letter is closed once, by a compare-and-set on `open`. */
export function createLetterRepository (db: Db) {
  const rows = db.collection<Letter>('jobs.letters')
  const groups = db.collection<{ _id: string, openedAt: Date }>('jobs.groups')
  const runs = db.collection<RunRow>('jobs.runs')

  return {
    async find (scope: Scope, id: string): Promise<Letter | undefined> {
      return await rows.findOne({ _id: id, ...within(scope) }) ?? undefined
    },

    /** Newest first, one more than `limit`. */
    async list (
      scope: Scope, { filter, state, after, limit }:
      { filter: LetterFilter, state: LetterState, after?: string, limit: number }
    ): Promise<Letter[]> {
      return await rows.find({ ...filterOf(scope, filter, after), state }).sort({ _id: -1 }).limit(limit + 1).toArray()
    },

    async count (scope: Scope, filter: LetterFilter): Promise<number> {
      return await rows.countDocuments({ ...filterOf(scope, filter), state: 'open' })
    },

    /** Open ones in the order in which they came; `round`: only those that were replayed so often. */
    async open (scope: Scope, filter: LetterFilter, limit: number, round = 0): Promise<Letter[]> {
      return await rows.find({
        ...filterOf(scope, filter), state: 'open', ...(round === 0 ? {} : { round: { $gte: round } })
      }).sort({ _id: 1 }).limit(limit).toArray()
    },

    async openByIds (session: Session, scope: Scope, ids: readonly string[]): Promise<Letter[]> {
      return await rows.find({ _id: { $in: [...ids] }, ...within(scope), state: 'open' }, { session }).toArray()
    },

    /** Open letters by fingerprint, the most frequent first. */
    async groups (scope: Scope): Promise<Group[]> {
      return await rows.aggregate<Group>([
        { $match: { state: 'open', fingerprint: { $gte: '' }, ...within(scope) } },
        { $group: { ...byTrouble, _id: { fingerprint: '$fingerprint', workspaceId: '$workspaceId' } } },
        { $sort: { count: -1 } },
        {
          $group: {
            ...ofWorkspaces, _id: '$_id.fingerprint',
            workspaces: { $push: { workspaceId: '$_id.workspaceId', count: '$count' } }
          }
        },
        { $sort: { count: -1, _id: 1 } },
        { $limit: mostGroups },
        { $set: { fingerprint: '$_id', workspaces: { $slice: ['$workspaces', mostWorkspaces] } } },
        { $unset: '_id' }
      ]).toArray()
    },

    /** Has one replay choose all that are open now and match; how many. */
    async choose (scope: Scope, filter: LetterFilter, replayBy: string): Promise<number> {
      await rows.updateMany({ ...filterOf(scope, filter), state: 'open' }, { $set: { replayBy } })
      return await rows.countDocuments({ replayBy })
    },

    async chosen (replayBy: string, limit: number): Promise<Letter[]> {
      return await rows.find({ replayBy, state: 'open' }).sort({ _id: 1 }).limit(limit).toArray()
    },

    async setData (scope: Scope, id: string, data: unknown): Promise<Letter | undefined> {
      return await rows.findOneAndUpdate(
        { _id: id, ...within(scope), state: 'open' }, { $set: { data } }, { returnDocument: 'after' }) ?? undefined
    },

    async runsOf (session: Session, letters: readonly Letter[]): Promise<Map<string, RunRow>> {
      const found = await runs.find({ _id: { $in: letters.map(({ runId }) => runId) } }, { session }).toArray()
      return new Map(found.map((run) => [run._id, run]))
    },

    /** Closes letters that this transaction read as open; their runs leave the store with them. */
    async close (
      session: Session, letters: ReadonlyArray<Letter & { newRunId?: string }>, { state, by, at, reason }: Closing
    ): Promise<void> {
      if (letters.length === 0) return
      const expireAt = new Date(at.getTime() + keptMs)
      await rows.bulkWrite(letters.map(({ _id, newRunId }) => ({
        updateOne: {
          filter: { _id, state: 'open' as const },
          update: {
            $set: {
              state, closedAt: at, closedBy: by, expireAt, ...(reason === undefined ? {} : { reason }),
              ...(newRunId === undefined ? {} : { replayRunId: newRunId })
            },
            $unset: { replayBy: true as const }
          }
        }
      })), { session })
      await runs.updateMany(
        { _id: { $in: letters.map(({ runId }) => runId) }, state: 'dead' }, { $set: { expireAt } }, { session })
    },

    /** What a replay refused is free again. */
    async free (session: Session, ids: readonly string[]): Promise<void> {
      if (ids.length > 0) await rows.updateMany({ _id: { $in: [...ids] } }, { $unset: { replayBy: true } }, { session })
    },

    /** Whether the letter, written in this transaction, is the only open one of its fingerprint. */
    async openGroup (session: Session, { _id, fingerprint, failedAt }: Letter): Promise<boolean> {
      const other = await rows.findOne(
        { state: 'open', fingerprint, _id: { $ne: _id } }, { session, projection: { _id: 1 } })
      if (other !== null) return false
      // Two that see no other meet here: one of them is repeated, and sees the first.
      await groups.updateOne({ _id: fingerprint }, { $set: { openedAt: failedAt } }, { session, upsert: true })
      return true
    },

    /** Versions of the code that left open letters of a fingerprint, without those that were replayed too often. */
    async codeVersions (scope: Scope, fingerprint: string, rounds: number): Promise<string[]> {
      return await rows.distinct('codeVersion', {
        state: 'open', fingerprint, ...within(scope), $or: [{ round: { $exists: false } }, { round: { $lt: rounds } }]
      })
    }
  }
}

const first = (field: string) => ({ $first: `$${field}` })

const byTrouble = {
  count: { $sum: 1 }, firstAt: { $min: '$failedAt' }, lastAt: { $max: '$failedAt' }, sampleId: { $max: '$_id' },
  name: first('name'), class: first('class'), code: first('code'), message: first('message')
}
const ofWorkspaces = {
  count: { $sum: '$count' }, firstAt: { $min: '$firstAt' }, lastAt: { $max: '$lastAt' },
  sampleId: { $max: '$sampleId' },
  name: first('name'), class: first('class'), code: first('code'), message: first('message')
}

function filterOf (scope: Scope, filter: LetterFilter, after?: string): Filter<Letter> {
  const { fingerprint, name, class: cause, code, codeVersion, from, to } = filter
  return {
    ...within(scope),
    ...defined({ fingerprint, name, class: cause, code }),
    ...(codeVersion === undefined ? {} : { codeVersion: { $in: codeVersion } }),
    ...idRange({ from, to, after })
  } as Filter<Letter>
}
