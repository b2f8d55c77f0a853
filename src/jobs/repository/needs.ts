import type { Db } from 'mongodb'
import { endStates, isOver, type NeedView, type RunState, type Session } from '../../kernel/index.ts'
import { expiryOf, type RunRow } from '../run.ts'

/** Runs that ended; `isMet`: done, or whoever needs it does not mind. */
export interface EndedNeed { id: string, isMet: boolean }

export interface SettledNeeds {
  /** Queues of runs that wait for nothing any more. */
  queues: string[]
  /** Runs that ended because one that they need did. */
  failed: string[]
}

const page = 1000

type Dependent = Pick<RunRow, '_id' | 'needs' | 'onNeedFailure' | 'isNeeded' | 'queue'>

export type NeedRepository = ReturnType<typeof createNeedRepository>

/** Runs that need each other; each need is counted once, by its name in `met`. */
export function createNeedRepository (db: Db) {
  const rows = db.collection<RunRow>('jobs.runs')

  /** Runs that wait for one of these. */
  async function dependentsOf (session: Session, ids: readonly string[]): Promise<Dependent[]> {
    return await rows.find(
      { state: 'blocked', needs: { $in: [...ids] }, $expr: { $gt: [{ $size: freshIn(ids) }, 0] } },
      { session, projection: { needs: 1, onNeedFailure: 1, isNeeded: 1, queue: 1 } }).limit(page).toArray()
  }

  async function lower (
    session: Session, runs: readonly Dependent[], ids: readonly string[], now: Date
  ): Promise<string[]> {
    if (runs.length === 0) return []
    const _id = { $in: runs.map((run) => run._id) }
    await rows.updateMany({ _id, state: 'blocked' }, [
      { $set: { met: { $setUnion: [metOf, { $setIntersection: ['$needs', [...ids]] }] } } },
      { $set: { waiting: { $subtract: [{ $size: '$needs' }, { $size: '$met' }] } } },
      {
        $set: {
          state: { $cond: [{ $lte: ['$waiting', 0] }, 'pending', 'blocked'] },
          // Its wait begins now.
          runAt: { $max: ['$runAt', now] },
          dueAt: { $max: ['$runAt', now] }
        }
      }
    ], { session })
    const free = await rows.find({ _id, state: 'pending' }, { session, projection: { queue: 1 } }).toArray()
    return free.map(({ queue }) => queue)
  }

  async function endAs (
    session: Session, state: 'dead' | 'skipped', runs: readonly Dependent[], now: Date
  ): Promise<void> {
    if (runs.length === 0) return
    await rows.updateMany({ _id: { $in: runs.map(({ _id }) => _id) }, state: 'blocked' }, {
      $set: { ...failedNeed(state, now), isLive: false, heldBy: null }
    }, { session })
  }

  return {
    /** Notes that somebody waits for these runs, as far as they have not ended; the state of each. */
    async mark (session: Session, workspaceId: string, ids: readonly string[]): Promise<Map<string, RunState>> {
      const these = { _id: { $in: [...ids] }, workspaceId }
      await rows.updateMany({ ...these, state: { $nin: [...endStates] } }, { $set: { isNeeded: true } }, { session })
      const found = await rows.find(these, { session, projection: { state: 1 } }).toArray()
      return new Map(found.map(({ _id, state }) => [_id, state]))
    },

    /** How runs of a workspace stand that another one needs, in its order. */
    async statesOf (workspaceId: string, ids: readonly string[]): Promise<NeedView[]> {
      if (ids.length === 0) return []
      const found = await rows.find(
        { _id: { $in: [...ids] }, workspaceId }, { projection: { name: 1, state: 1 } }).toArray()
      const known = new Map(found.map((run) => [run._id, run]))
      return ids.map((id) => ({ id, name: known.get(id)?.name ?? null, state: known.get(id)?.state ?? null }))
    },

    /** What the end of runs means for those that wait for them, and so on; in the transaction that ends them. */
    async settle (session: Session, ended: readonly EndedNeed[], now: Date): Promise<SettledNeeds> {
      const settled: SettledNeeds = { queues: [], failed: [] }
      let wave = [...ended]
      // What is left of a very long chain is found by the keeper: its end is marked as needed.
      while (wave.length > 0 && settled.failed.length < page) {
        const ids = wave.map(({ id }) => id)
        const bad = new Set(wave.filter(({ isMet }) => !isMet).map(({ id }) => id))
        const dependents = await dependentsOf(session, ids)
        const fate = (run: Dependent): 'continue' | 'fail' | 'skip' =>
          run.needs?.some((id) => bad.has(id)) === true ? run.onNeedFailure ?? 'fail' : 'continue'
        const { continue: going = [], fail = [], skip = [] } = Object.groupBy(dependents, fate)
        settled.queues.push(...await lower(session, going, ids, now))
        await endAs(session, 'dead', fail, now)
        await endAs(session, 'skipped', skip, now)
        settled.failed.push(...[...fail, ...skip].map(({ _id }) => _id))
        if (dependents.length < page) {
          await rows.updateMany({ _id: { $in: ids }, isNeeded: true }, { $unset: { isNeeded: '' } }, { session })
          wave = []
        }
        wave.push(...[...fail, ...skip].filter(({ isNeeded }) => isNeeded === true)
          .map(({ _id: id }) => ({ id, isMet: false })))
      }
      return settled
    },

    /** Blocked runs of a batch none of whose needs may still end: those needs, by run. */
    async stuck (workspaceId: string, batchId: string): Promise<Map<string, EndedNeed[]>> {
      const blocked = await rows.find(
        { batchId, state: 'blocked', workspaceId }, { projection: { needs: 1 } }).limit(page).toArray()
      const ids = [...new Set(blocked.flatMap(({ needs = [] }) => needs))]
      const found = await rows.find({ _id: { $in: ids } }, { projection: { state: 1 } }).toArray()
      const states = new Map(found.map(({ _id, state }) => [_id, state]))
      const hasEnded = (id: string): boolean => isOver(states.get(id) ?? 'dead')
      return new Map(blocked.filter(({ needs = [] }) => needs.every(hasEnded)).map(({ _id, needs = [] }) =>
        [_id, needs.map((id) => ({ id, isMet: states.get(id) === 'done' }))]))
    },

    /** Runs of a workflow, in the order in which they were written. */
    async workflow (workspaceIds: readonly string[] | undefined, workflowId: string): Promise<RunRow[]> {
      return await rows.find(
        { workflowId, ...(workspaceIds !== undefined && { workspaceId: { $in: [...workspaceIds] } }) },
        { projection: { data: 0, steps: 0, result: 0, attempts: 0 } }).sort({ _id: 1 }).limit(page).toArray()
    }
  }
}

const metOf = { $ifNull: ['$met', []] }
const freshIn = (ids: readonly string[]) =>
  ({ $setDifference: [{ $setIntersection: ['$needs', [...ids]] }, metOf] })

/** How a run ends of which a need did not end well; it has no letter, the one of the cause names it. */
export function failedNeed (state: 'dead' | 'skipped', now: Date) {
  return {
    state,
    endedAt: now,
    ...expiryOf('skipped', now.getTime()),
    ...(state === 'dead' && {
      error: { class: 'permanent', code: 'jobs.need_failed', message: 'A run that this one needs did not end well.' }
    })
  }
}
