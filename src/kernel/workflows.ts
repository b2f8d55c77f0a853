import type { Static, TSchema } from 'typebox'
import type { AddOptions, AddedRun, JobDefinition, Lane, NeedFailure } from './jobs.ts'
import type { Session } from './tx.ts'

/** One run of a workflow; `needs` names other nodes of it. */
export interface WorkflowNode {
  job: JobDefinition
  data: unknown
  needs?: readonly string[]
  /** Compulsory where it needs something. */
  onNeedFailure?: NeedFailure
  options?: Omit<AddOptions, 'key' | 'needs' | 'onNeedFailure' | 'batchId'>
}

/** A node whose data is checked against its job by the compiler. */
export function workflowNode<D extends TSchema, R extends TSchema> (
  job: JobDefinition<D, R>, data: Static<D>, more: Omit<WorkflowNode, 'job' | 'data'> = {}
): WorkflowNode {
  return { job: job as unknown as JobDefinition, data, ...more }
}

export interface Workflow {
  /** By name, at most 1,000. */
  nodes: Readonly<Record<string, WorkflowNode>>
  workspaceId?: string
}

export interface AddedWorkflow { id: string, runs: Record<string, AddedRun> }

/** A run that a batch makes when it comes to its point. */
export interface BatchCallback { job: JobDefinition, data: unknown, lane?: Lane }

export interface NewBatch {
  name: string
  workspaceId?: string
  /** When every run of it has ended. */
  onComplete?: BatchCallback
  /** When every run of it is done. */
  onSuccess?: BatchCallback
  /** When the first run of it is dead. */
  onDeath?: BatchCallback
}

export interface PageAnswer {
  /** How many pages there are now. */
  pages: number
  /** Whether this call entered the page; false where it is there already. */
  isNew: boolean
}

/** Many runs with one end (`jobs.md` 4.7). A run enters with the `batchId` of its options, or by the page. */
export interface Batches {
  open (session: Session, batch: NewBatch): Promise<string>
  /**
   * Enters page number `page` (from 0) of at most 500 runs; whoever was killed in between goes on at `pages`.
   * Throws `jobs.batch_sealed`, `jobs.batch_not_found`.
   */
  addPage<D extends TSchema, R extends TSchema> (
    session: Session, batchId: string, page: number, job: JobDefinition<D, R>,
    items: ReadonlyArray<{ data: Static<D>, options?: Omit<AddOptions, 'batchId'> }>
  ): Promise<PageAnswer>
  /** No further page comes. */
  seal (session: Session, batchId: string): Promise<void>
  pages (batchId: string): Promise<number>
}
