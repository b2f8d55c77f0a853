export { permissions } from './access.ts'
export { boardCookie, boardSessionMs, createBoardSessions, type BoardSessions } from './board.ts'
export { canaryEveryMs, canaryFailed, canaryProblem, createCanaries, runCanary, usedQueues } from './canary.ts'
export { RunAborted, WaitSignal, classify, judge, type Classified } from './classify.ts'
export { JobsError } from './errors.ts'
export { createEventBus, subscriberQueue } from './event-log.ts'
export { fingerprintOf } from './fingerprint.ts'
export { collections } from './indexes.ts'
export { dataHash, deliveryId } from './keys.ts'
export { nextConcurrency } from './loop-guard.ts'
export { checkPayload, readPayload } from './payload.ts'
export { partitionOf, sharesOf, slotsWhere, spreadOf, withPartitions } from './partitions.ts'
export { operationState } from './present.ts'
export { policyOf, priorityOf, queuesOf, rhythms, type RunPolicy } from './queues.ts'
export { createRunReads, type RunReads } from './reads.ts'
export {
  createClaimRepository, createDedupeRepository, createEventRepository, createLeaseRepository, createRelayRepository,
  createPoisonRepository, createRunRepository, createWorkerRepository,
  type Candidate, type ClaimRepository, type DedupeRepository, type Delivery, type LeaseRepository, type Outcome,
  type RelayRepository, type StartOfRun, type WorkerRepository, type WorkerRow
} from './repository.ts'
export { createCanaryRepository, createLoadRepository, type LoadRepository } from './repository.ts'
export { arrivalsOf, soonMs, wantedOf, type Wanted } from './scaling.ts'
export type { Attempt, RunRow, StartKey } from './run.ts'
export { createJobSender, workspaceOf } from './sender.ts'
export { createQuarantine, type Quarantine } from './solo.ts'
export { runTopic } from './topics.ts'
export { freePlaces, shareLanes } from './window.ts'
