export { createBackupRepository, type BackupRepository, type BackupRow } from './repository/backups.ts'
export {
  createClaimRepository, type ClaimRepository, type Outcome, type StartOfRun
} from './repository/claims.ts'
export {
  createClearingRepository, placeOf, type ClearingRepository
} from './repository/clearings.ts'
export {
  createDumpRepository, isBeyondWindow, isShapeChanged, type CollectionShape, type DumpRepository, type Snapshot
} from './repository/dump.ts'
export { createEventRepository, type EventRepository, type EventRow } from './repository/events.ts'
export { createLeaseRepository, type LeaseRepository } from './repository/leases.ts'
export {
  createProjectionRepository,
  type ProjectedRow, type ProjectionPlace, type ProjectionRepository, type VersionedEvent
} from './repository/projections.ts'
export { createRelayRepository, type Candidate, type Delivery, type RelayRepository } from './repository/relay.ts'
export { createReportRepository, type ReportFile, type ReportRepository, type ReportRow } from './repository/reports.ts'
export { createRestoreRepository, type RestoreRepository } from './repository/restore.ts'
export { createRunFindings } from './repository/run-findings.ts'
export { createRunRepository, type RunRepository } from './repository/runs.ts'
export { createWorkerRepository, type WorkerRepository, type WorkerRow } from './repository/workers.ts'
