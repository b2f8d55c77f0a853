export { permissions } from './access.ts'
export { createFolderStore } from './backup/folder-store.ts'
export { readManifest, type Manifest } from './backup/manifest.ts'
export { presentBackup } from './backup/present.ts'
export { checkParts, compareData, compareShapes, indexExpiring, restoreInto } from './backup/restorer.ts'
export { createBackupService, type BackupService } from './backup/service.ts'
export { createStorageStore } from './backup/storage-store.ts'
export { RunAborted, WaitSignal, classify, judge, type Classified } from './classify.ts'
export { JobsError } from './errors.ts'
export { createEventBus, subscriberQueue } from './event-log.ts'
export { fingerprintOf } from './fingerprint.ts'
export { collections } from './indexes.ts'
export { deliveryId } from './keys.ts'
export { readPayload } from './payload.ts'
export { operationState } from './present.ts'
export { createProjectionService, type ProjectionService } from './projections/service.ts'
export { policyOf, priorityOf, queuesOf, rhythms, type RunPolicy } from './queues.ts'
export { createReportService, type ReportService } from './reports/service.ts'
export { createRunReads, type RunReads } from './reads.ts'
export {
  createBackupRepository, createClaimRepository, createClearingRepository, createDumpRepository, createEventRepository,
  createLeaseRepository, createProjectionRepository, createRelayRepository, createReportRepository,
  createRestoreRepository, createRunRepository, createWorkerRepository,
  type Candidate, type ClaimRepository, type Delivery, type LeaseRepository, type Outcome,
  type RelayRepository, type StartOfRun, type WorkerRepository, type WorkerRow
} from './repository.ts'
export { createClearing, type Clearing } from './retention/service.ts'
export type { Attempt, RunRow, StartKey } from './run.ts'
export { createJobSender } from './sender.ts'
export { standingPermissions } from './standing/access.ts'
export { standingEvents } from './standing/events.ts'
export { standingCollections } from './standing/indexes.ts'
export { standingInvariants } from './standing/invariants.ts'
export {
  backUpDatabase, buildReport, clearRecords, proveBackup, rebuildProjection, standingJobs, startDailyReports
} from './standing/jobs.ts'
export {
  BackupPageSchema, BackupQuerySchema, NewReportRunSchema, ReportFileParams, ReportListSchema, ReportNameParams,
  ReportRunSchema, standingSchemas
} from './standing/schemas.ts'
export { runTopic } from './topics.ts'
export { freePlaces, shareLanes } from './window.ts'
