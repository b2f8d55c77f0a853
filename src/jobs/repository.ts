export { createBackupRepository, type BackupRepository, type BackupRow } from './repository/backups.ts'
export { canaryName, createCanaryRepository, type CanaryRepository, type CanaryRow } from './repository/canaries.ts'
export { createClaimCheckRepository, type ClaimCheckRepository } from './repository/claim-checks.ts'
export { createLoadRepository, type LoadRepository } from './repository/load.ts'
export {
  createClaimRepository, type ClaimRepository, type Letter, type StartOfRun
} from './repository/claims.ts'
export {
  createBatchRepository, type BatchEnd, type BatchRepository, type BatchRow, type CallbackKind, type RunCounts,
  type StoredCallback
} from './repository/batches.ts'
export {
  createCandidateRepository, type Ask, type Candidate, type CandidateRepository
} from './repository/candidates.ts'
export { createCancelOrderRepository, type CancelOrderRepository } from './repository/cancel-orders.ts'
export {
  createControlRepository, mostEnded, type ControlRepository, type ListedRun, type Reorder
} from './repository/control.ts'
export { createDedupeRepository, type DedupeRepository } from './repository/dedupes.ts'
export { createHoldRepository, type Hold, type HoldRepository } from './repository/holds.ts'
export { createInTurn } from './repository/in-turn.ts'
export { createEventPages, type EventPages } from './repository/event-pages.ts'
export { createEventRepository, type EventRepository, type EventRow } from './repository/events.ts'
export { createLeaseRepository, type LeaseRepository } from './repository/leases.ts'
export { createLetterRepository, type LetterRepository } from './repository/letters.ts'
export { createMendingRepository, type MendingRepository } from './repository/mendings.ts'
export {
  createNeedRepository, failedNeed, type EndedNeed, type NeedRepository, type SettledNeeds
} from './repository/needs.ts'
export type { Outcome } from './repository/outcomes.ts'
export { createPauseRepository, type Pause, type PauseRepository } from './repository/pauses.ts'
export { createPoisonRepository, type PoisonRepository } from './repository/poison.ts'
export { createQueueRepository, type QueueRepository, type QueuesSeen } from './repository/queues.ts'
export { createRelayRepository, type Delivery, type RelayRepository } from './repository/relay.ts'
export { createResourceRepository, type ResourceRepository, type Taking } from './repository/resources.ts'
export { createRuleRepository, type RuleRepository, type RuleRow } from './repository/rules.ts'
export {
  createClearingRepository, placeOf, type ClearingRepository
} from './repository/clearings.ts'
export {
  createDumpRepository, isBeyondWindow, isShapeChanged, type CollectionShape, type DumpRepository, type Snapshot
} from './repository/dump.ts'
export {
  createProjectionRepository,
  type ProjectedRow, type ProjectionPlace, type ProjectionRepository, type VersionedEvent
} from './repository/projections.ts'
export { createReportRepository, type ReportFile, type ReportRepository, type ReportRow } from './repository/reports.ts'
export { createRestoreRepository, type RestoreRepository } from './repository/restore.ts'
export { createRunFindings } from './repository/run-findings.ts'
export { createRunRepository, type EndedRun, type RunRepository } from './repository/runs.ts'
export { createShareRepository, type Share, type ShareRepository } from './repository/shares.ts'
export { createSubscriberRepository, type SubscriberRepository, type SubscriberRow } from './repository/subscribers.ts'
export { createWorkerlessRepository, type WorkerlessRepository } from './repository/workerless.ts'
export { createWorkerRepository, type WorkerRepository, type WorkerRow } from './repository/workers.ts'
export { createScheduleRepository, type Move, type ScheduleRepository } from './repository/schedules.ts'
export { createSlotRepository, type SlotRepository } from './repository/slots.ts'
