export { permissions } from './access.ts'
export { arrivalsIn } from './arrivals.ts'
export { createBacklogGuard, type BacklogGuard } from './backlog.ts'
export { createFolderStore } from './backup/folder-store.ts'
export { readManifest, type Manifest } from './backup/manifest.ts'
export { presentBackup } from './backup/present.ts'
export { checkParts, compareData, compareShapes, indexExpiring, restoreInto } from './backup/restorer.ts'
export { createBackupService, type BackupService } from './backup/service.ts'
export { createStorageStore } from './backup/storage-store.ts'
export { createBatchControl, type BatchControl } from './batch-control.ts'
export { batchCompleted } from './batch-events.ts'
export { BatchCancelSchema, BatchSchema, WorkflowSchema, batchSchemas } from './batch-schemas.ts'
export { createBatchWatch, type BatchWatch } from './batch-watch.ts'
export { createBatches } from './batches.ts'
export { blackoutUntil } from './blackouts.ts'
export { createBurials, type OnBuried } from './burials.ts'
export { boardCookie, boardSessionMs, createBoardSessions, type BoardSessions } from './board.ts'
export {
  canaryEveryMs, canaryFailed, canaryProblem, createCanaries, lateQueues, runCanary, usedQueues
} from './canary.ts'
export { createCapacity, type Capacity } from './capacity.ts'
export {
  ResourcePageSchema, ResourceParams, ResourceQuerySchema, ResourceSchema, ResourceSettingsSchema, ShareParams,
  ShareSchema, ShareSettingsSchema, capacitySchemas
} from './capacity-schemas.ts'
export { createClaimChecks, type ClaimCheckService } from './claim-checks.ts'
export { RunAborted, WaitSignal, classify, judge, type Cause, type Classified } from './classify.ts'
export { JobsError } from './errors.ts'
export { createEventBus, subscriberQueue } from './event-log.ts'
export { createEventService, type EventService } from './event-service.ts'
export { groupOpened } from './events.ts'
export {
  burstOf, createRetryBudget, laneNow, leftOf, mixRisen, newRing, quantum, refill, takeTurns,
  turnFrom,
  type Bucket, type RetryBudget, type Ring
} from './fair.ts'
export { fingerprintOf } from './fingerprint.ts'
export { collections } from './indexes.ts'
export { endCancelled, replayEvents, replayLetters } from './jobs.ts'
export { dataHash, deliveryId } from './keys.ts'
export { createLetterService, type LetterService } from './letters.ts'
export { createLimits } from './limits.ts'
export { nextConcurrency } from './loop-guard.ts'
export { checkPayload, readPayload } from './payload.ts'
export { partitionOf, sharesOf, slotsWhere, spreadOf } from './partitions.ts'
export { createOperations, type Operations } from './operations.ts'
export { operationState } from './present.ts'
export { createPrecedence, mayGoBeyond, type Precedence } from './precedence.ts'
export { policyOf, priorityOf, queuesOf, rhythms, type RunPolicy } from './queues.ts'
export { createProjectionService, type ProjectionService } from './projections/service.ts'
export { createQueueControl, type QueueControl } from './queue-control.ts'
export { createRecurrence } from './recurrence.ts'
export { createReportService, type ReportService } from './reports/service.ts'
export { createRunReads, type RunReads } from './reads.ts'
export {
  allot, coveredUntil, namesNeeded, resourceState, statesNeeded,
  type Contestant, type Known, type ResourceRow, type ResourceState
} from './resources.ts'
export {
  createBackupRepository, createBatchRepository, createCanaryRepository, createCancelOrderRepository,
  createCandidateRepository, createClaimCheckRepository, createClaimRepository, createClearingRepository,
  createControlRepository, createDedupeRepository, createDumpRepository, createEventPages, createEventRepository,
  createHoldRepository, createInTurn, createLeaseRepository, createLetterRepository, createLoadRepository,
  createMendingRepository, createNeedRepository, createPauseRepository, createPoisonRepository,
  createProjectionRepository, createQueueRepository, createRelayRepository, createReportRepository,
  createResourceRepository, createRestoreRepository, createRuleRepository, createRunRepository,
  createScheduleRepository, createShareRepository, createSlotRepository, createSubscriberRepository,
  createWorkerRepository, createWorkerlessRepository,
  type Ask, type Candidate, type CandidateRepository, type ClaimRepository, type DedupeRepository, type Delivery,
  type EndedNeed, type EndedRun, type Hold, type HoldRepository, type LeaseRepository, type Letter,
  type LoadRepository, type MendingRepository, type NeedRepository, type Outcome, type Pause, type PauseRepository,
  type RelayRepository, type ResourceRepository, type RunRepository, type ScheduleRepository, type Share,
  type ShareRepository, type SlotRepository, type StartOfRun, type WorkerRepository, type WorkerRow,
  type WorkerlessRepository
} from './repository.ts'
export { compareVersions } from './replay.ts'
export { createClearing, type Clearing } from './retention/service.ts'
export { createRuleService, type RuleService } from './rules.ts'
export { createRunControl, type RunControl } from './run-control.ts'
export { arrivalsOf, soonMs, wantedOf, type Wanted } from './scaling.ts'
export { ageMsOf, isPlain, type Attempt, type RunRow, type StartKey } from './run.ts'
export { createScheduleAccess } from './schedules/access.ts'
export { checkDeclared, createDeclarer } from './schedules/declare.ts'
export { schedulePaused, slotMissed } from './schedules/events.ts'
export type { ScheduleRow, SlotRow } from './schedules/row.ts'
export {
  createSlots, judgeLateness, judgeSlot, noObstacles, smearMs, type Obstacle, type Obstacles
} from './schedules/rules.ts'
export {
  BackfillResultSchema, BackfillSchema, ExplanationSchema, NewScheduleSchema, SchedulePageSchema, SchedulePatchSchema,
  ScheduleQuerySchema, ScheduleSchema, ScheduleSlotPageSchema, ScheduleSlotSchema, scheduleSchemas
} from './schedules/schemas.ts'
export { createSchedulesService, type SchedulesService } from './schedules/service.ts'
export { createTicker } from './schedules/ticker.ts'
export { createSlotWriter } from './schedules/writer.ts'
export {
  CancelManySchema, CancelSchema, CancelledSchema, DiscardReportSchema, EventPageSchema, EventQuerySchema,
  EventReplayReportSchema, EventReplaySchema, GroupListSchema, GroupQuerySchema, LetterDetailSchema,
  LetterDiscardSchema,
  LetterEditSchema, LetterExportQuerySchema, LetterPageSchema, LetterQuerySchema, LetterReplaySchema, PauseSchema,
  QueueListSchema, QueueParams, QueueSchema, ReplayReportSchema, RulesSchema, RunDetailSchema, RunPageSchema,
  ReorderManySchema, ReorderedSchema, RunPatchSchema, RunQuerySchema, schemas
} from './schemas.ts'
export { createJobSender, workspaceOf } from './sender.ts'
export { createQuarantine, type Poisoned, type Quarantine } from './solo.ts'
export { standingPermissions } from './standing/access.ts'
export { standingEvents } from './standing/events.ts'
export { standingCollections } from './standing/indexes.ts'
export { standingInvariants } from './standing/invariants.ts'
export {
  backUpDatabase, buildReport, clearRecords, proveBackup, rebuildProjection, standingJobs, startDailyReports
} from './standing/jobs.ts'
export { standingSchedules } from './standing/schedules.ts'
export {
  BackupPageSchema, BackupQuerySchema, NewReportRunSchema, ReportFileParams, ReportListSchema, ReportNameParams,
  ReportQuerySchema, ReportRunPageSchema, ReportRunQuerySchema, ReportRunSchema, standingSchemas
} from './standing/schemas.ts'
export { createSubscriberDuty, type SubscriberDuty } from './subscribers.ts'
export { queueTopic, runTopic } from './topics.ts'
export { freePlaces, shareLanes, shareQuarter } from './window.ts'
export { orderNodes } from './workflow.ts'
