export { actorRef, anonymousActor, systemActor, type Actor, type ActorKind, type ActorRef } from './actor.ts'
export type { Analytics, AnalyticsMapping, AnalyticsSink, MappedEvent } from './analytics.ts'
export {
  definePermissions, rateClasses,
  type Authenticator, type PermissionDefinition, type Proof, type ProofInput, type RateClass, type RouteAuth
} from './auth.ts'
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
  Breakers, Download, DownloadRequest, FetchAnswer, FetchProfile, FetchRequest, SafeFetch
} from './fetch.ts'
export {
  LiveError, closeCodes, commands, frameLimits, replies, replyCodeOf, replyCodes, serverFrames,
  subprotocol, unsubCodes,
  type CommandName, type ConnectCommand, type PositionClaim, type ReplyError, type SubCommand, type Subscribed
} from './frames.ts'
export { msOfUuidv7, uuidv7 } from './ids.ts'
export type { CollectionDefinition, IndexDefinition } from './indexes.ts'
export {
  defineJob, lanes, queues,
  type AddOptions, type AddedRun, type Dedupe, type EventHandler, type EventsHandler, type JobContext,
  type JobDefinition, type JobHandler, type JobPolicy, type JobSender, type KeyScope, type Lane, type Log,
  type LossyOptions, type Progress, type Queue, type RunState, type RunView
} from './jobs.ts'
export { createSigner, deriveKey, type KeyRing, type MasterKey, type Signer } from './keys.ts'
export type { LeaseTurn, Leases } from './leases.ts'
export type { Mail, MailCapture, SendMail } from './mail.ts'
export { createRegistry, type Declarations, type Registry } from './registry.ts'
export type { Cache, Script, ScriptRunner } from './scripts.ts'
export { StorageError, type Storage, type StoredObject } from './storage.ts'
export {
  channelOf, defineTopic,
  type Bus, type DocumentBinding, type DurableBinding, type Live, type LiveDocument, type PublishInput, type Published,
  type ReplayItem, type TopicClass, type TopicDefinition, type TopicParams, type TopicRules
} from './topics.ts'
export type { Notes, ProcessId, Session, SessionTypes, Tx, TxParticipant } from './tx.ts'
