import type { Clock, EventBus, JobDefinition, JobSender, Log, Session, Tx } from '../kernel/index.ts'
import { batchCompleted } from './batch-events.ts'
import type { BatchEnd, BatchRepository, BatchRow, CallbackKind, EndedNeed, NeedRepository } from './repository.ts'

interface Collaborators {
  batches: BatchRepository
  needs: NeedRepository
  jobs: JobSender
  /** Stands above this slice's plugin: there when a batch ends, not when this is put together. */
  events: () => Pick<EventBus, 'emit'>
  jobOf: (name: string) => JobDefinition | undefined
  tx: Tx
  clock: Clock
  /** Runs ended because one that they need did not end well. */
  onEnded: (ids: readonly string[]) => void
  log: Log
}

const unwell = ['dead', 'cancelled', 'expired', 'skipped'] as const

/** What the keeper looks after: ends of batches, and needs of which nobody was told. */
export function createBatchWatch ({ batches, needs, jobs, events, jobOf, tx, clock, onEnded, log }: Collaborators) {
  /** Where a run fills it, its end seals the batch, whatever became of it. */
  async function sealed (batch: BatchRow): Promise<BatchRow> {
    const { _id, isSealed, filledBy, rev } = batch
    if (isSealed || filledBy === undefined || !await batches.hasEnded(filledBy)) return batch
    await batches.seal(undefined, _id)
    return { ...batch, isSealed: true, rev: rev + 1 }
  }

  async function look (open: BatchRow): Promise<void> {
    const batch = await sealed(open)
    const { _id, isSealed, callbacks, called } = batch
    // In this order: what comes in after the look changes the revision that was read before it.
    const isOver = isSealed && !await batches.hasUnended(_id)
    const isDue = async (kind: CallbackKind): Promise<boolean> => {
      if (callbacks[kind] === undefined || called.includes(kind)) return false
      if (kind === 'death') return await batches.has(_id, ['dead'])
      return isOver && (kind === 'complete' || !await batches.has(_id, unwell))
    }
    const due: CallbackKind[] = []
    for (const kind of ['death', 'success', 'complete'] as const) if (await isDue(kind)) due.push(kind)
    if (!isOver && due.length === 0) return
    const end = isOver ? { counts: await batches.tally(_id), completedAt: clock.now() } : undefined
    await tx(async (session) => { await advance(session, batch, due, end) })
  }

  async function advance (
    session: Session, batch: BatchRow, due: readonly CallbackKind[], end: BatchEnd | undefined
  ): Promise<void> {
    const { _id: batchId, workspaceId, name, callbacks } = batch
    if (!await batches.advance(session, batch, due, end)) return
    for (const kind of due) {
      const callback = callbacks[kind]
      const job = callback === undefined ? undefined : jobOf(callback.job)
      // A job that this version does not know: the transaction fails, and a leader that knows it does it.
      if (callback === undefined || job === undefined) throw new Error(`nobody knows the job of ${batchId} ${kind}`)
      await jobs.add(session, job, callback.data as never, {
        key: `batch:${batchId}:${kind}`, workspaceId, ...(callback.lane === undefined ? {} : { lane: callback.lane })
      })
    }
    if (end === undefined) return
    await events().emit(session, batchCompleted, { batchId, name }, { type: 'batch', id: batchId }, { workspaceId })
  }

  return {
    async batches (open: readonly BatchRow[]): Promise<void> {
      for (const batch of open) {
        await look(batch).catch((err: unknown) => {
          log.warn({ err, batch: batch._id }, 'a batch was not looked after')
        })
      }
    },

    /** Tells those who wait for a run that ended outside of a worker; queues that got runs. */
    async needs (ended: readonly EndedNeed[]): Promise<string[]> {
      const queues: string[] = []
      for (const one of ended) {
        const settled = await tx(async (session) => await needs.settle(session, [one], clock.now()))
        queues.push(...settled.queues)
        // At once: what follows may fail, and these have ended.
        onEnded(settled.failed)
      }
      return [...new Set(queues)]
    }
  }
}

export type BatchWatch = ReturnType<typeof createBatchWatch>
