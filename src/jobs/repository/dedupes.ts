import type { Db, Filter } from 'mongodb'
import { endStates, type Session } from '../../kernel/index.ts'
import { noteArrivals } from '../arrivals.ts'
import type { DedupeOfRun, RunRow } from '../run.ts'
import type { InTurn } from './in-turn.ts'
import type { KeptRun } from './runs.ts'

const waiting = ['blocked', 'pending'] as const
/** A later add puts its data into the run that waits. */
const replacing: Array<DedupeOfRun['mode']> = ['debounce', 'latest']
const kept = { projection: { state: 1, dataHash: 1 } } as const
const fast = { writeConcern: { w: 1 } } as const

type Deduped = RunRow & { dedupe: DedupeOfRun }

export type DedupeRepository = ReturnType<typeof createDedupeRepository>

/** One run instead of many. What the mark of a run says is judged by its state: no end of a run has to clear it. */
export function createDedupeRepository (db: Db, inTurn?: Pick<InTurn, 'wait'>) {
  const rows = db.collection<RunRow>('jobs.runs')

  const active = ({ workspaceId, name, dedupe }: Deduped): Filter<RunRow> =>
    ({ workspaceId, name, 'dedupe.key': dedupe.key, 'dedupe.isActive': true })

  /** The run of the same key, if there is one with it and none may be made. */
  async function ofKey (session: Session, { workspaceId, name, key }: RunRow): Promise<KeptRun | undefined> {
    if (key === undefined) return undefined
    const first = await rows.findOne({ workspaceId, name, key }, { session, ...kept })
    return first === null ? undefined : toKept(first)
  }

  /** Puts the data of the new run into the one that waits; a new release number makes its readers let go of it. */
  async function replace (session: Session, run: Deduped): Promise<KeptRun | undefined> {
    await inTurn?.wait(session, JSON.stringify([run.workspaceId, run.name, run.dedupe.key]))
    const { v, data, dataHash, runAt, deadlineAt, lane, cost, target } = run
    const one = { ...active(run), 'dedupe.mode': { $in: replacing }, state: { $in: [...waiting] }, starts: 0 }
    const found = await rows.findOneAndUpdate(one, {
      $set: {
        v, data, dataHash, lane, cost, updatedAt: run.createdAt,
        ...(run.dedupe.mode === 'debounce' ? { runAt, dueAt: runAt, heldBy: null } : {}),
        ...(deadlineAt === undefined ? {} : { deadlineAt }),
        ...(target === undefined ? {} : { target })
      },
      $inc: { release: 1 }
    }, { session, projection: kept.projection, returnDocument: 'after' })
    return found === null ? undefined : toKept(found)
  }

  return {
    /** Adds the run, or answers the one that stands for it, with the new data where its mode says so. */
    async addDeduped (session: Session, run: Deduped, now: Date): Promise<KeptRun> {
      const there = await ofKey(session, run) ??
        (replacing.includes(run.dedupe.mode) ? await replace(session, run) : undefined)
      if (there !== undefined) return there
      await rows.updateOne({ ...active(run), ...isOver(now) }, { $set: { 'dedupe.isActive': false } }, { session })
      const { workspaceId, name, dedupe: { key, isActive, ...dedupe }, ...rest } = run
      const marks = Object.fromEntries(Object.entries(dedupe).map(([field, value]) => [`dedupe.${field}`, value]))
      // As with keys: a caught duplicate would abort the transaction, an upsert that races is repeated with it.
      const { upsertedCount } = await rows.updateOne(
        { workspaceId, name, 'dedupe.key': key, 'dedupe.isActive': isActive }, { $setOnInsert: { ...rest, ...marks } },
        { session, upsert: true })
      if (upsertedCount === 1) {
        noteArrivals([run])
        return { id: run._id, state: run.state, dataHash: run.dataHash, isNew: true }
      }
      const first = await rows.findOne(active(run), { session, ...kept })
      if (first === null) throw new Error('an upsert matched nothing')
      return toKept(first)
    },

    /** Throttle windows that are over (P). */
    async endWindows (now: Date): Promise<number> {
      const { modifiedCount } = await rows.updateMany(
        { 'dedupe.isActive': true, 'dedupe.until': { $lte: now } }, { $set: { 'dedupe.isActive': false } }, fast)
      return modifiedCount
    }
  }
}

/** When a run stands for others no more: one that was released, or had a start already, keeps the data that it has. */
function isOver (now: Date): Filter<RunRow> {
  return {
    $or: [
      { 'dedupe.mode': 'throttle', 'dedupe.until': { $lte: now } },
      { 'dedupe.mode': 'inflight', state: { $in: [...endStates] } },
      { 'dedupe.mode': { $in: replacing }, $or: [{ state: { $nin: [...waiting] } }, { starts: { $gt: 0 } }] }
    ]
  }
}

function toKept ({ _id: id, state, dataHash }: Pick<RunRow, '_id' | 'state' | 'dataHash'>): KeptRun {
  return { id, state, dataHash, isNew: false }
}
