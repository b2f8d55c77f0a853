import type { Actor, Clock, RunState, Tx } from '../kernel/index.ts'
import { scopeOf } from './access.ts'
import type { BatchOut, WorkflowOut } from './batch-schemas.ts'
import { JobsError } from './errors.ts'
import type { BatchRepository, BatchRow, NeedRepository, RunCounts } from './repository.ts'
import type { RunRow } from './run.ts'

interface Collaborators {
  batches: BatchRepository
  needs: NeedRepository
  tx: Tx
  clock: Clock
  /** Queues may have runs that wait for nothing any more. */
  onMoved: (queues: readonly string[]) => void
  /** Runs may have ended without having been at work. */
  onEnded: (ids: readonly string[]) => void
}

const freshMs = 2000
/** Counting so many takes so long that it is done less often. */
const many = 100_000
const manyFreshMs = 30_000

export type BatchControl = ReturnType<typeof createBatchControl>

/** What operators see and do of batches and workflows (`jobs.md` 3.3). */
export function createBatchControl ({ batches, needs, tx, clock, onMoved, onEnded }: Collaborators) {
  async function batchOf (actor: Actor, id: string): Promise<BatchRow> {
    const batch = await batches.find(scopeOf(actor), id)
    if (batch === undefined) throw JobsError.batch_not_found({ id })
    return batch
  }

  function isYoung (counts: RunCounts, countedAt: Date): boolean {
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
    return clock.ms() - countedAt.getTime() < (total > many ? manyFreshMs : freshMs)
  }

  async function countsOf ({ _id, counts, countedAt, completedAt }: BatchRow) {
    if (counts !== undefined && countedAt !== undefined) {
      // Its runs leave the store before it does: what was counted at its end stays.
      const isKept = completedAt === undefined ? isYoung(counts, countedAt) : countedAt >= completedAt
      if (isKept) return { counts, countedAt }
    }
    const now = clock.now()
    return { counts: await batches.count(_id, now), countedAt: now }
  }

  async function shown (batch: BatchRow): Promise<BatchOut> {
    const { _id: id, workspaceId, name, state, isSealed, pages, called, createdAt, completedAt } = batch
    const { counts, countedAt } = await countsOf(batch)
    const stuck = (counts.blocked ?? 0) === 0 ? 0 : (await needs.stuck(workspaceId, id)).size
    return {
      id, workspaceId, name, state, isSealed, pages, counts, countedAt: countedAt.toISOString(), stuck,
      called: [...called], createdAt: createdAt.toISOString(),
      ...(completedAt && { completedAt: completedAt.toISOString() })
    }
  }

  return {
    /** Throws `jobs.batch_not_found`. */
    async get (actor: Actor, id: string): Promise<BatchOut> {
      return await shown(await batchOf(actor, id))
    },

    /** Seals it and ends what waits; what runs is told, and ends as its handlers return. */
    async cancel (actor: Actor, id: string, reason: string): Promise<BatchOut> {
      await batchOf(actor, id)
      await batches.seal(undefined, id)
      onEnded(await batches.cancel(id, { reason, by: actor.id, at: clock.now() }))
      return await shown(await recounted(actor, id))
    },

    /** Does with blocked runs whose needs are all over what they said for that case. */
    async unstick (actor: Actor, id: string): Promise<BatchOut> {
      const { workspaceId } = await batchOf(actor, id)
      const stuck = await needs.stuck(workspaceId, id)
      const ended = new Map([...stuck.values()].flat().map((need) => [need.id, need]))
      const settled = await tx(async (session) => await needs.settle(session, [...ended.values()], clock.now()))
      onMoved(settled.queues)
      onEnded(settled.failed)
      return await shown(await recounted(actor, id))
    },

    /** Throws `jobs.workflow_not_found`. */
    async workflow (actor: Actor, id: string): Promise<WorkflowOut> {
      const runs = await needs.workflow(scopeOf(actor), id)
      const [first] = runs
      if (first === undefined) throw JobsError.workflow_not_found({ id })
      const nodeOf = new Map(runs.map(({ _id, node = _id }) => [_id, node]))
      const counts: Partial<Record<RunState, number>> = {}
      for (const { state } of runs) counts[state] = (counts[state] ?? 0) + 1
      return { id, workspaceId: first.workspaceId, counts, nodes: runs.map((run) => toNode(run, nodeOf)) }
    }
  }

  async function recounted (actor: Actor, id: string): Promise<BatchRow> {
    await batches.count(id, clock.now())
    return await batchOf(actor, id)
  }
}

function toNode (run: RunRow, nodeOf: ReadonlyMap<string, string>): WorkflowOut['nodes'][number] {
  const { _id: runId, node = runId, name, queue, lane, state, attempt, startedAt, endedAt, error, onNeedFailure } = run
  return {
    node, runId, name, queue, lane, state, attempt,
    needs: (run.needs ?? []).map((id) => nodeOf.get(id) ?? id),
    ...(onNeedFailure === undefined ? {} : { onNeedFailure }),
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(endedAt && { endedAt: endedAt.toISOString() }),
    ...(error && { error })
  }
}
