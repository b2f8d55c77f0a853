export { permissions } from './access.ts'
export { createBacklogGuard, type BacklogGuard } from './backlog.ts'
export { createBatchControl, type BatchControl } from './batch-control.ts'
export { batchCompleted } from './batch-events.ts'
export { BatchCancelSchema, BatchSchema, WorkflowSchema, batchSchemas } from './batch-schemas.ts'
export { createBatchWatch, type BatchWatch } from './batch-watch.ts'
export { createBatches } from './batches.ts'
export { blackoutUntil } from './blackouts.ts'
export { RunAborted, WaitSignal, classify, judge, type Classified } from './classify.ts'
export { JobsError } from './errors.ts'
export { createEventBus, subscriberQueue } from './event-log.ts'
export {
  createRetryBudget, laneNow, mixRisen, newRing, quantum, refill, takeTurns, type Bucket, type RetryBudget, type Ring
} from './fair.ts'
export { fingerprintOf } from './fingerprint.ts'
export { collections } from './indexes.ts'
export { deliveryId } from './keys.ts'
export { readPayload } from './payload.ts'
export { operationState } from './present.ts'
export { policyOf, priorityAhead, priorityOf, queuesOf, rhythms, type RunPolicy } from './queues.ts'
export { createRunReads, type RunReads } from './reads.ts'
export {
  allot, contestOrder, coveredUntil, resourceState, type Contestant, type ResourceRow, type ResourceState
} from './resources.ts'
export {
  createBatchRepository, createCandidateRepository, createClaimRepository, createEventRepository,
  createLeaseRepository, createNeedRepository, createRelayRepository, createResourceRepository, createRunRepository, createShareRepository, createWorkerRepository,
  type Ask, type Candidate, type CandidateRepository, type ClaimRepository, type Delivery, type LeaseRepository,
  type Outcome, type RelayRepository, type ResourceRepository, type Share, type ShareRepository, type StartOfRun,
  type WorkerRepository, type WorkerRow
} from './repository.ts'
export type { Attempt, RunRow, StartKey } from './run.ts'
export { createJobSender } from './sender.ts'
export { runTopic } from './topics.ts'
export { freePlaces, shareLanes } from './window.ts'
export { orderNodes } from './workflow.ts'
