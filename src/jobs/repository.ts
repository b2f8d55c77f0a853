export {
  createClaimRepository, type ClaimRepository, type Outcome, type StartOfRun
} from './repository/claims.ts'
export {
  createBatchRepository, type BatchRepository, type BatchRow, type CallbackKind, type StoredCallback
} from './repository/batches.ts'
export { createCandidateRepository, type Ask, type Candidate, type CandidateRepository } from './repository/candidates.ts'
export { createEventRepository, type EventRepository, type EventRow } from './repository/events.ts'
export { createLeaseRepository, type LeaseRepository } from './repository/leases.ts'
export {
  createNeedRepository, failedNeed, type EndedNeed, type NeedRepository, type SettledNeeds
} from './repository/needs.ts'
export { createRelayRepository, type Delivery, type RelayRepository } from './repository/relay.ts'
export { createResourceRepository, type ResourceRepository, type Taking } from './repository/resources.ts'
export { createRunRepository, type RunRepository } from './repository/runs.ts'
export { createShareRepository, type Share, type ShareRepository } from './repository/shares.ts'
export { createWorkerRepository, type WorkerRepository, type WorkerRow } from './repository/workers.ts'
