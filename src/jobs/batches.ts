import {
  currentContext, uuidv7, type BatchCallback, type Batches, type Clock, type JobSender, type NewBatch
} from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { checkPayload } from './payload.ts'
import type { BatchRepository, BatchRow, StoredCallback } from './repository.ts'

export const mostOfPage = 500

/** A batch that nobody entered yet. */
export function newBatch (
  batch: Pick<BatchRow, '_id' | 'workspaceId' | 'name' | 'createdAt'> & Partial<BatchRow>
): BatchRow {
  return { isSealed: false, pages: 0, state: 'open', callbacks: {}, called: [], rev: 0, ...batch }
}

interface Collaborators {
  batches: BatchRepository
  jobs: Pick<JobSender, 'addMany'>
  clock: Clock
  isDeclared: (job: string) => boolean
}

/** Many runs with one end (`jobs.md` 4.7). */
export function createBatches ({ batches, jobs, clock, isDeclared }: Collaborators): Batches {
  function stored ({ job, data, lane }: BatchCallback): StoredCallback {
    if (!isDeclared(job.name)) throw JobsError.unknown_job({ job: job.name })
    checkPayload(job.name, job.data, data)
    return { job: job.name, data, ...(lane === undefined ? {} : { lane }) }
  }

  return {
    async open (session, { name, workspaceId, onComplete, onSuccess, onDeath }: NewBatch) {
      const _id = uuidv7(clock.ms())
      await batches.insert(session, newBatch({
        _id,
        workspaceId: workspaceId ?? currentContext()?.actor?.workspaceId ?? '',
        name,
        callbacks: {
          ...(onComplete && { complete: stored(onComplete) }),
          ...(onSuccess && { success: stored(onSuccess) }),
          ...(onDeath && { death: stored(onDeath) })
        },
        createdAt: clock.now()
      }))
      return _id
    },

    async addPage (session, batchId, page, job, items) {
      if (items.length > mostOfPage) {
        throw JobsError.schema_mismatch({ batchId }, { detail: `A page has at most ${mostOfPage} runs.` })
      }
      const isNew = await batches.enter(session, batchId, page)
      const batch = await batches.findIn(session, batchId)
      if (batch === undefined) throw JobsError.batch_not_found({ batchId })
      if (!isNew && page >= batch.pages) throw JobsError.batch_sealed({ batchId, pages: batch.pages })
      if (isNew) {
        const { workspaceId } = batch
        await jobs.addMany(session, job, items.map(({ data, options = {} }) =>
          ({ data, options: { workspaceId, ...options, batchId } })))
      }
      return { pages: batch.pages, isNew }
    },

    async seal (session, batchId) {
      if (!await batches.seal(session, batchId)) throw JobsError.batch_not_found({ batchId })
    },

    async pages (batchId) {
      const batch = await batches.find(undefined, batchId)
      if (batch === undefined) throw JobsError.batch_not_found({ batchId })
      return batch.pages
    }
  }
}
