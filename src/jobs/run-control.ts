import {
  isOver, type Actor, type Clock, type JobContext, type JobSender, type Lane, type Registry, type RunState, type Tx
} from '../kernel/index.ts'
import { scopeOf } from './access.ts'
import { JobsError } from './errors.ts'
import { endCancelled } from './jobs.ts'
import type { LimitHold } from './limits.ts'
import { presentRun, presentRunDetail } from './present.ts'
import type { ControlRepository, ListedRun, NeedRepository, Reorder } from './repository.ts'
import type { Cancel } from './run.ts'
import type { CancelMany, ReorderMany, RunDetail, RunOut, RunPatch, RunQuery, WaitingFilter } from './schemas.ts'

interface Collaborators {
  runs: ControlRepository
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
  const { runs, statesOf, limitOf, jobs, known, tx, clock, tellWorkers, onMoved, onManyMoved, onEnded } = parts

  async function runOf (actor: Actor, id: string): Promise<ListedRun> {
    const run = await runs.find(scopeOf(actor), id)
    if (run === undefined) throw JobsError.run_not_found({ id })
    return run
  }

  async function detailOf (run: ListedRun): Promise<RunDetail> {
    const [needs, limit] = await Promise.all([statesOf(run.workspaceId, run.needs ?? []), limitOf(run)])
    return presentRunDetail(run, { hides: known.jobs.get(run.name)?.redact, needs, limit })
  }

  function cancelOf (actor: Actor, reason: string): Cancel {
    return { reason, by: actor.id, at: clock.now() }
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
      const cancel = cancelOf(actor, reason)
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
      const waiting = await runs.waitingOf(scope, filter)
      const { cancelled, asked, isMarked } = await runs.cancelMany(scope, filter, cancelOf(actor, reason))
      onEnded(waiting)
      if (asked.length > 0) tellWorkers(asked)
      if (isMarked) {
        const data = { ...(scope === undefined ? {} : { scope: [...scope] }), filter }
        await tx(async (session) => await jobs.add(session, endCancelled, data, { workspaceId: '' }))
      }
      return { cancelled: cancelled + asked.length }
    },

    /** The run of `jobs.end-cancelled`. */
    async endMarked ({ run }: JobContext<{ scope?: string[], filter: WaitingFilter }>): Promise<{ ended: number }> {
      const { scope, filter } = run.data
      const waiting = await runs.waitingOf(scope, filter)
      const ended = await runs.endMarked(scope, filter, clock.now())
      onEnded(waiting)
      return { ended }
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
      const reordered = await runs.reorderMany(scope, filter, changeOf(lane, runAt), clock.now())
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
