export { actorRef, anonymousActor, systemActor, type Actor, type ActorKind, type ActorRef } from './actor.ts'
export type { Analytics, AnalyticsMapping, AnalyticsSink, MappedEvent } from './analytics.ts'
export {
  definePermissions, rateClasses,
  type Authenticator, type PermissionDefinition, type Proof, type ProofInput, type RateClass, type RouteAuth
} from './auth.ts'
export type { BackupStore } from './backups.ts'
export type { Clock } from './clock.ts'
export { currentContext, leaveNote, withContext, withNotes, type Cause, type Context } from './context.ts'
export { createCursors, toPage, type CursorValues, type Cursors } from './cursors.ts'
export {
  DomainError, HttpError, defineErrors, isDomainError,
  type ErrorDefinition, type ErrorKind, type ErrorOptions, type ErrorTable, type FieldProblem
} from './errors.ts'
export {
  defineEvent, defineSubscriber,
  type DomainEvent, type EventBus, type EventDefinition, type Subject, type SubscriberDefinition
} from './events.ts'
export type {
  Breakers, Download, DownloadQuota, DownloadRequest, FetchAnswer, FetchProfile, FetchRequest, SafeFetch
} from './fetch.ts'
export {
  LiveError, closeCodes, commands, frameLimits, replies, replyCodeOf, replyCodes, serverFrames,
  subprotocol, unsubCodes,
  type CommandName, type ConnectCommand, type PositionClaim, type ReplyError, type SubCommand, type Subscribed
} from './frames.ts'
export { msOfUuidv7, uuidv7 } from './ids.ts'
export { ClaimCheckSchema, type ClaimCheck, type ClaimChecks } from './claim-checks.ts'
export type { CollectionDefinition, IndexDefinition } from './indexes.ts'
export {
  defineInvariant, type InvariantDefinition, type RestoredBackup, type Store, type StoreTypes
} from './invariants.ts'
export {
  defineJob, isCost, lanes, mostCost, queues,
  type AddOptions, type AddedRun, type Dedupe, type EventHandler, type EventsHandler, type JobContext,
  type JobDefinition, type JobHandler, type JobPolicy, type JobSender, type KeyScope, type Lane, type Log,
  type LossyOptions, type Progress, type Queue, type RunState, type RunView
} from './jobs.ts'
export type { NeedFailure, NeedView } from './jobs.ts'
export {
  workflowNode,
  type AddedWorkflow, type BatchCallback, type Batches, type NewBatch, type PageAnswer, type Workflow, type WorkflowNode
} from './workflows.ts'
export { defineResource, everything, type Blackout, type ResourceDefinition } from './resources.ts'
export { createSigner, deriveKey, type KeyRing, type MasterKey, type Signer } from './keys.ts'
export type { LeaseTurn, Leases } from './leases.ts'
export type { Mail, MailCapture, SendMail } from './mail.ts'
export { defineProjection, projectorsOf, type ProjectionDefinition, type ProjectionState } from './projections.ts'
export type { Dst, Occurrence, Recurrence, RecurrenceSpec, Recurring } from './recurrence.ts'
export { createRegistry, type Declarations, type Registry } from './registry.ts'
export {
  defineReport, reportPeriods,
  type ReportContext, type ReportDefinition, type ReportPeriod, type WorkspaceDirectory
} from './reports.ts'
export { defineRetention, type RetentionDefinition } from './retention.ts'
export {
  defineSchedule, misfires, overlaps, withPolicy,
  type Misfire, type Overlap, type ScheduleDefinition, type SchedulePolicy
} from './schedules.ts'
export { endStates, isOver, runDead, trouble, type RunLookup, type RunStanding } from './run-ends.ts'
export type { Cache, Script, ScriptRunner } from './scripts.ts'
export { StorageError, type Storage, type StoredObject } from './storage.ts'
export { tableFormats, type Cell, type TableColumn, type TableFormat, type TableRow, type Tables } from './tables.ts'
export {
  channelOf, defineTopic,
  type Bus, type DocumentBinding, type DurableBinding, type Live, type LiveDocument, type PublishInput, type Published,
  type ReplayItem, type TopicClass, type TopicDefinition, type TopicParams, type TopicRules
} from './topics.ts'
export type { Notes, ProcessId, Session, SessionTypes, Tx, TxParticipant } from './tx.ts'
