import {
  isOver, uuidv7, type Actor, type Clock, type JobContext, type JobSender, type Lane, type Registry, type RunState,
  type Tx
} from '../kernel/index.ts'
import { scopeOf, type Scope } from './access.ts'
import { cancelOf, youngMs, type CancelOrder } from './cancel-order.ts'
import { JobsError } from './errors.ts'
import { endCancelled } from './jobs.ts'
import { idFloor } from './keys.ts'
import type { LimitHold } from './limits.ts'
import { presentRun, presentRunDetail } from './present.ts'
import {
  mostEnded, type CancelOrderRepository, type ControlRepository, type ListedRun, type NeedRepository, type Reorder
} from './repository.ts'
import { mostTold, type Cancel } from './run.ts'
import type { CancelMany, ReorderMany, RunDetail, RunOut, RunPatch, RunQuery, WaitingFilter } from './schemas.ts'

interface Collaborators {
  runs: ControlRepository
  orders: CancelOrderRepository
  /** How runs stand that another one needs. */
  statesOf: NeedRepository['statesOf']
  /** Which limit of its workspace keeps a run back. */
  limitOf: (run: ListedRun) => Promise<LimitHold | undefined>
  jobs: JobSender
  known: Pick<Registry, 'jobs'>
  tx: Tx
  clock: Clock
  /** Tells the worker that has one of these runs to abort it. */
  tellWorkers: (ids: readonly string[]) => void
  /** A run ended or moved without having been at work. */
  onMoved: (run: ListedRun, state: RunState) => void
  /** Waiting runs of any queue moved. */
  onManyMoved: () => void
  /** Runs may have ended without having been at work. */
  onEnded: (ids: readonly string[]) => void
}

export type RunControl = ReturnType<typeof createRunControl>

const tries = 5

/** What operators see and do of runs (`jobs.md` 3.3). */
export function createRunControl (parts: Collaborators) {
  const { runs, orders, statesOf, limitOf, jobs, known, tx, clock, tellWorkers, onMoved, onManyMoved, onEnded } = parts

  async function runOf (actor: Actor, id: string): Promise<ListedRun> {
    const run = await runs.find(scopeOf(actor), id)
    if (run === undefined) throw JobsError.run_not_found({ id })
    return run
  }

  async function detailOf (run: ListedRun): Promise<RunDetail> {
    const [needs, limit, standing] = await Promise.all([
      statesOf(run.workspaceId, run.needs ?? []), limitOf(run), orders.list()
    ])
    const cancel = cancelOf(run, standing)
    const shown = { ...run, ...(cancel && { cancel }) }
    return presentRunDetail(shown, { hides: known.jobs.get(run.name)?.redact, needs, limit })
  }

  function cancelBy (actor: Actor, reason: string): Cancel {
    return { reason, by: actor.id, at: clock.now() }
  }

  /** Has an order stand, and a run that ends what is of it. */
  async function place (scope: Scope, filter: WaitingFilter, cancel: Cancel): Promise<CancelOrder> {
    const before = idFloor(cancel.at.getTime() - youngMs)
    const _id = uuidv7(cancel.at.getTime())
    const order = { _id, ...(scope === undefined ? {} : { scope: [...scope] }), filter, before, cancel }
    await tx(async (session) => {
      await orders.add(session, order)
      await jobs.add(session, endCancelled, { order: _id }, { workspaceId: '' })
    })
    return order
  }

  return {
    /** Newest first, one more than `limit`. */
    async list (
      actor: Actor, { workspaceId, ...query }: Omit<RunQuery, 'cursor' | 'limit'> & { after?: string, limit: number }
    ): Promise<RunOut[]> {
      return (await runs.list(scopeOf(actor, workspaceId), query)).map(presentRun)
    },

    async get (actor: Actor, id: string): Promise<RunDetail> {
      return await detailOf(await runOf(actor, id))
    },

    /**
     * Ends a waiting run at once; one that runs commits nothing any more and ends when its handler returns.
     * Throws `run_finished` with the state.
     */
    async cancel (actor: Actor, id: string, reason: string): Promise<RunDetail> {
      const scope = scopeOf(actor)
      const cancel = cancelBy(actor, reason)
      // A run may start, or wait again, between two looks.
      for (let nth = 1; ; nth++) {
        const waited = await tx(async (session) => await runs.cancelWaiting(session, scope, id, cancel))
        if (waited !== undefined) onMoved(waited, 'cancelled')
        else if (await runs.askToCancel(scope, id, cancel)) tellWorkers([id])
        else {
          const { state } = await runOf(actor, id)
          if (isOver(state) || nth === tries) throw JobsError.run_finished({ id, state })
          continue
        }
        return await detailOf(await runOf(actor, id))
      }
    },

    /**
     * The same for all that match: how many waited or run. None of them starts any more; where thousands waited, they
     * end one after the other behind the answer.
     */
    async cancelMany (
      actor: Actor, { workspaceId, ...filter }: CancelMany['filter'], reason: string
    ): Promise<{ cancelled: number }> {
      const scope = scopeOf(actor, workspaceId)
      const cancel = cancelBy(actor, reason)
      const standing = await orders.list()
      const ids = await runs.waitingOf(scope, filter, standing)
      const cancelled = ids.length > mostEnded
        ? await runs.beginOrder(await place(scope, filter, cancel), standing)
        : await runs.endThese(ids, cancel)
      const asked = await runs.askMany(scope, filter, cancel)
      onEnded(ids.slice(0, mostTold))
      if (asked.length > 0) tellWorkers(asked)
      return { cancelled: cancelled + asked.length }
    },

    /** The run of `jobs.end-cancelled`: what moved between two looks is found by the next. */
    async sweep ({ run, signal }: JobContext<{ order: string }>): Promise<{ cancelled: number }> {
      const order = await orders.find(run.data.order)
      if (order === undefined) return { cancelled: 0 }
      let cancelled = 0
      for (let before = -1; cancelled > before;) {
        before = cancelled
        for await (const ids of runs.sweep(order, () => clock.now())) {
          if (cancelled < mostTold) onEnded(ids.slice(0, mostTold - cancelled))
          cancelled += ids.length
          signal.throwIfAborted()
        }
        const asked = await runs.askOrdered(order)
        if (asked.length > 0) tellWorkers(asked)
        cancelled += asked.length
      }
      await orders.remove(order._id)
      return { cancelled }
    },

    /** Another lane or time for a run that has not started. Throws `run_finished` with the state. */
    async reorder (actor: Actor, id: string, { lane, runAt }: RunPatch): Promise<RunDetail> {
      const change = changeOf(lane, runAt)
      const run = await tx(async (session) => await runs.reorder(session, scopeOf(actor), id, change, clock.now()))
      if (run === undefined) throw JobsError.run_finished({ id, state: (await runOf(actor, id)).state })
      onMoved(run, run.state)
      return await detailOf(run)
    },

    /** The same for all that match and have not started; how many. */
    async reorderMany (
      actor: Actor, { filter: { workspaceId, ...filter }, lane, runAt }: ReorderMany
    ): Promise<{ reordered: number }> {
      const scope = scopeOf(actor, workspaceId)
      const change = changeOf(lane, runAt)
      const reordered = await runs.reorderMany(scope, filter, { change, now: clock.now(), but: await orders.list() })
      onManyMoved()
      return { reordered }
    }
  }
}

function changeOf (lane: Lane | undefined, runAt: string | undefined): Reorder {
  return {
    ...(lane === undefined ? {} : { lane }),
    // Its age counts from its new time.
    ...(runAt === undefined ? {} : { runAt: new Date(runAt), dueAt: new Date(runAt) })
  }
}
