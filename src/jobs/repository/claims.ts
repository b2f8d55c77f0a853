import type { Db, Filter } from 'mongodb'
import type { Progress, Queue, Session } from '../../kernel/index.ts'
import { cancelOf } from '../cancel-order.ts'
import { isPlain, type Attempt, type RunRow, type StartKey } from '../run.ts'
import { createCancelOrderRepository } from './cancel-orders.ts'
import { createNeededEnds, type OnSettled } from './needed-ends.ts'
import { effective, groupDone, operationsOf, running, unneeded, updateOf, type Outcome } from './outcomes.ts'

const fast = { writeConcern: { w: 1 } } as const

export interface Letter {
  _id: string
  workspaceId: string
  runId: string
  name: string
  /** Of what the run carried: other runs with the same start solo after a poison. */
  dataHash?: string
  class: string
  code: string
  message: string
  fingerprint: string
  attempts: Attempt[]
  state: 'open' | 'replayed' | 'discarded'
  codeVersion: string
  failedAt: Date
  /** Runs that ended because this one did, at most 100. */
  needers?: string[]
  /** How often the origin of the run was replayed before it died this time. */
  round?: number
  /** What an operator made of the data of the run. */
  data?: unknown
  /** The replay that has chosen it. */
  replayBy?: string
  replayRunId?: string
  closedAt?: Date
  closedBy?: string
  reason?: string
  expireAt?: Date
}

export type ClaimRepository = ReturnType<typeof createClaimRepository>

/** The runs of a serial that may be next: one that never started and is not due holds nobody up. */
export const turnOf = (workspaceId: string, serial: string, now: Date): Filter<RunRow> =>
  ({ state: 'pending', workspaceId, serial, $or: [{ runAt: { $lte: now } }, { starts: { $gt: 0 } }] })

/** Whether nothing but its turn holds a run up; what takes capacity, retries and slots go through the relay. */
function isStartable (run: RunRow, now: Date): boolean {
  const { runAt, attempt, heldBy } = run
  return runAt <= now && isPlain(run) && attempt === 0 && (heldBy === null || heldBy === 'serial')
}

/** What a claim makes of a run. */
function claimed (claim: string, worker: string, now: Date) {
  return {
    $set: { state: 'running' as const, isLive: true, claim, worker, startedAt: now },
    $inc: { fence: 1, starts: 1 }
  }
}

const unheard: OnSettled = { onFreed: () => undefined, onFailed: () => undefined }

/**
 * Gives runs of a claim that is written the cancel of the order that they are of. Orders are read behind the claim: one
 * that is not there yet finds these runs at work.
 */
function createCancelling (db: Db) {
  const rows = db.collection<RunRow>('jobs.runs')
  const orders = createCancelOrderRepository(db)
  return async (claim: string, claimed: RunRow[] | Promise<RunRow[]>): Promise<RunRow[]> => {
    const [runs, standing] = await Promise.all([claimed, orders.list()])
    if (standing.length === 0) return runs
    const wanted = runs.filter((run) => run.cancel === undefined)
    for (const [cancel, some] of Map.groupBy(wanted, (run) => cancelOf(run, standing))) {
      if (cancel === undefined) continue
      const ids = some.map(({ _id }) => _id)
      await rows.updateMany(
        { _id: { $in: ids }, claim, state: 'running' }, { $set: { cancel } }, fast)
      for (const run of some) run.cancel = cancel
    }
    return runs
  }
}

/** Starts and their outcomes; every write after a start matches only that start (`jobs.md` 4.1, I2). */
export function createClaimRepository (db: Db, onSettled = unheard) {
  const [ends, withCancels] = [createNeededEnds(db, onSettled), createCancelling(db)]
  const [rows, letters] = [db.collection<RunRow>('jobs.runs'), db.collection<Letter>('jobs.letters')]

  return {
    /** Claims published runs of one release number under a fresh token; answers those it got. */
    async claim (
      ids: readonly string[], release: number, start: { claim: string, worker: string, now: Date }
    ): Promise<RunRow[]> {
      const { claim, worker, now } = start
      const [id, ...others] = ids
      // Between a burst and the next most claims are of one run, which needs no second question.
      if (id !== undefined && others.length === 0) {
        const run = await rows.findOneAndUpdate(
          { _id: id, release, state: 'published' }, claimed(claim, worker, now), { ...fast, returnDocument: 'after' })
        return run === null ? [] : await withCancels(claim, [run])
      }
      await rows.updateMany({ _id: { $in: [...ids] }, release, state: 'published' }, claimed(claim, worker, now), fast)
      return await this.byClaim(ids, claim)
    },

    /** What a claim got, also after an error left that open. */
    async byClaim (ids: readonly string[], claim: string): Promise<RunRow[]> {
      return await withCancels(claim, rows.find(
        { _id: { $in: [...ids] }, claim, state: 'running' }, { readConcern: { level: 'local' } }
      ).toArray())
    },

    /**
     * Starts the next run of a serial without a release, for a worker whose run of it just ended; undefined where none
     * is there, it is not its time, or another worker has the serial.
     */
    async claimNext (
      { workspaceId, serial, queue }: { workspaceId: string, serial: string, queue: Queue },
      { claim, worker, now }: { claim: string, worker: string, now: Date }, may: (run: RunRow) => boolean
    ): Promise<RunRow | undefined> {
      const [first] = await rows.find(turnOf(workspaceId, serial, now)).sort({ seq: 1 }).limit(1).toArray()
      if (first === undefined || first.queue !== queue || !isStartable(first, now) || !may(first)) return undefined
      const { $set, $inc } = claimed(claim, worker, now)
      try {
        const { modifiedCount } = await rows.updateOne(
          { _id: first._id, state: 'pending', release: first.release, fence: first.fence, heldBy: first.heldBy },
          { $set: { ...$set, heldBy: null }, $inc }, fast)
        if (modifiedCount === 0) return undefined
      } catch (error) {
        // The relay gave the serial to somebody else meanwhile.
        if ((error as { code?: number }).code === 11000) return undefined
        throw error
      }
      const run = { ...first, ...$set, heldBy: null, fence: first.fence + 1, starts: first.starts + 1 }
      return (await withCancels(claim, [run]))[0]
    },

    /** Where a delivery stands that nobody could claim as published. */
    async holderOf (id: string, release: number): Promise<{ fence: number, worker: string | null } | undefined> {
      const run = await rows.findOne({ _id: id, release, state: 'running' }, { projection: { fence: 1, worker: 1 } })
      return run === null ? undefined : { fence: run.fence, worker: run.worker }
    },

    /** Takes a running run over from a holder that is gone. */
    async takeOver (id: string, fence: number, start: { claim: string, worker: string, now: Date }): Promise<RunRow[]> {
      const { $set, $inc } = claimed(start.claim, start.worker, start.now)
      await rows.updateOne(
        { _id: id, fence, state: 'running' }, { $set, $inc: { ...$inc, crashes: 1 } }, { ...fast, maxTimeMS: 300 }
      )
      return await this.byClaim([id], start.claim)
    },

    /** Ends the start as done inside the transaction of its effect; false where it is superseded or cancelled. */
    async finish (session: Session, key: StartKey, result: unknown, now: Date): Promise<boolean> {
      const update = updateOf({ kind: 'done', result }, now)
      const { matchedCount } = await rows.updateOne({ ...effective(key), ...unneeded }, update, { session })
      if (matchedCount === 1) return true
      return await ends.endNeeded(session, [{ key, outcome: { kind: 'done', result } }], now) === 1
    },

    /**
     * Why a guard matched nothing. `held`: the start has its run; the snapshot of that transaction was older than the
     * claim, which does not wait for a majority.
     */
    async standing (key: StartKey): Promise<'held' | 'cancelled' | 'gone'> {
      const run = await rows.findOne(running(key), { projection: { cancel: 1 } })
      if (run === null) return 'gone'
      return run.cancel === undefined ? 'held' : 'cancelled'
    },

    /** Runs at work in this worker that somebody asked to cancel. */
    async cancelledOf (worker: string): Promise<string[]> {
      const found = await rows.find(
        { state: 'running', worker, cancel: { $exists: true } }, { projection: { _id: 1 } }).toArray()
      return found.map(({ _id }) => _id)
    },

    /** Guards a transaction in the middle of a start; false when another start has the run or it is cancelled. */
    async touch (session: Session, key: StartKey, now: Date, progress?: Progress): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        effective(key), { $set: { updatedAt: now, ...(progress === undefined ? {} : { progress }) } }, { session })
      return matchedCount === 1
    },

    async setProgress (key: StartKey, progress: Progress, now: Date): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(running(key), { $set: { progress, updatedAt: now } }, fast)
      return matchedCount === 1
    },

    async setStep (key: StartKey, name: string, value: unknown, now: Date): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        running(key), { $set: { [`steps.${name}`]: { value }, updatedAt: now } })
      return matchedCount === 1
    },

    /** Writes outcomes, equal ones of one claim as one update; how many matched nothing any more. */
    async end (
      outcomes: ReadonlyArray<{ key: StartKey, outcome: Outcome }>, now: Date, session?: Session
    ): Promise<number> {
      const groups = groupDone(outcomes)
      const operations = operationsOf(groups, now, unneeded)
      if (operations.length === 0) return 0
      const options = { ordered: false, ...(session && { session }) }
      const { matchedCount } = await rows.bulkWrite(operations, options)
      if (matchedCount === outcomes.length) return 0
      // Some have another start, others were cancelled meanwhile.
      const cancelled = await rows.bulkWrite(groups.map(({ keys }) => {
        const [one] = keys as [StartKey]
        const filter = { ...running(one), _id: { $in: keys.map((key) => key.id) }, cancel: { $exists: true } }
        return { updateMany: { filter, update: updateOf({ kind: 'ended', state: 'cancelled' }, now) } }
      }), options)
      return outcomes.length - matchedCount - cancelled.matchedCount
    },

    ...ends,

    /** Ends the start as dead and writes its letter, in one transaction. */
    async bury (session: Session, key: StartKey, letter: Letter, attempt: Attempt): Promise<boolean> {
      const { failedAt: now } = letter
      const error = { class: letter.class, code: letter.code, message: letter.message }
      const { matchedCount } = await rows.updateOne(effective(key), {
        $set: { state: 'dead', isLive: false, endedAt: now, error },
        $inc: { attempt: 1 },
        $push: { attempts: { $each: [attempt], $slice: -20 } }
      }, { session })
      if (matchedCount !== 1) return false
      const failed = await ends.failNeeded(session, key.id, now)
      await letters.insertOne({ ...letter, ...(failed.length > 0 && { needers: failed.slice(0, 100) }) }, { session })
      return true
    },

    /** Running runs of workers that are gone (P). */
    async ofWorkers (workers: readonly string[], limit = 2000): Promise<StartOfRun[]> {
      const found = await rows.find(
        { state: 'running', worker: { $in: [...workers] } }, { projection: startFields }
      ).limit(limit).toArray()
      return found.map(toStart)
    },

    /** Returns the run of a dead worker to pending; alone, since an open transaction may still lock it. */
    async crash (start: StartOfRun, now: Date, crashes = 1): Promise<boolean> {
      const attempt: Attempt = {
        fence: start.fence, startedAt: start.startedAt ?? now, endedAt: now, outcome: 'crashed', class: 'crash',
        code: 'crash', message: 'the worker died'
      }
      const { modifiedCount } = await rows.updateOne({ _id: start.id, fence: start.fence, state: 'running' }, {
        $set: { state: 'pending', isLive: false, heldBy: null, claim: null, worker: null, runAt: now },
        $inc: { crashes },
        $push: { attempts: { $each: [attempt], $slice: -20 } }
      }, { maxTimeMS: 1000 })
      return modifiedCount === 1
    }
  }
}

export interface StartOfRun {
  id: string
  fence: number
  release: number
  queue: string
  workspaceId: string
  serial: string | undefined
  worker: string | null
  startedAt: Date | undefined
}

const startFields = { fence: 1, release: 1, queue: 1, workspaceId: 1, serial: 1, worker: 1, startedAt: 1 } as const

function toStart (run: RunRow): StartOfRun {
  const { _id, fence, release, queue, workspaceId, serial, worker, startedAt } = run
  return { id: _id, fence, release, queue, workspaceId, serial, worker, startedAt }
}
