import { Type, type Static } from 'typebox'
import { lanes, queues } from '../kernel/index.ts'
import { At, Id, Nullable, OneOf, pageOf, pageQuery, ref } from '../kernel/schemas.ts'

export const runStates = [
  'blocked', 'pending', 'published', 'running', 'done', 'dead', 'cancelled', 'expired', 'skipped'
] as const
export const letterStates = ['open', 'replayed', 'discarded'] as const
export type LetterState = typeof letterStates[number]

const Word = Type.String({ maxLength: 128 })
const Text = Type.String({ maxLength: 500 })
const Fingerprint = Type.String({ pattern: '^[0-9a-f]{16}$', maxLength: 16 })
const Workspace = Type.String({ maxLength: 64 })
const Count = Type.Integer({ minimum: 0 })
const closed = { additionalProperties: false } as const
export const rates = Type.Number({ exclusiveMinimum: 0, maximum: 1000 })

const range = { from: Type.Optional(At), to: Type.Optional(At) }
const list = { ...pageQuery, workspaceId: Type.Optional(Workspace) }

const Attempt = Type.Object({
  fence: Count, startedAt: At, endedAt: At, outcome: OneOf(['again', 'dead', 'crashed']), class: Word, code: Word,
  message: Text
}, closed)

const Trouble = Type.Object({ class: Word, code: Word, message: Text }, closed)

const runFields = {
  id: Id,
  workspaceId: Workspace,
  name: Word,
  version: Type.Integer(),
  queue: OneOf(queues),
  lane: OneOf(lanes),
  state: OneOf(runStates),
  heldBy: Type.Optional(Word),
  attempt: Count,
  starts: Count,
  progress: Type.Optional(Type.Object({
    done: Type.Number(), total: Type.Optional(Type.Number()), unit: Type.Optional(Word), step: Type.Optional(Word)
  }, closed)),
  createdAt: At,
  runAt: At,
  startedAt: Type.Optional(At),
  endedAt: Type.Optional(At),
  error: Type.Optional(Trouble),
  cause: Nullable(Type.Object({ kind: Word, id: Word }, closed)),
  batchId: Type.Optional(Word),
  workflowId: Type.Optional(Word)
}

export const RunSchema = Type.Object(runFields, { $id: 'Run', ...closed, description: 'One thing that must happen' })
export type RunOut = Static<typeof RunSchema>
export const RunPageSchema = pageOf(RunSchema, 'RunPage')

export const RunDetailSchema = Type.Object({
  ...runFields,
  heldBy: Type.Optional({
    ...Word,
    description: 'What keeps it from starting; only here, not in a list, also the limits of its workspace, as they ' +
      'stand now: workspace_cap (it has as many live runs in the queue as it may) and workspace_rate'
  }),
  data: Type.Unknown({ description: 'With what its job hides left out' }),
  result: Type.Optional(Type.Unknown()),
  attempts: Type.Array(Attempt, { maxItems: 20 }),
  crashes: Count,
  key: Type.Optional(Text),
  serial: Type.Optional(Text),
  target: Type.Optional(Text),
  deadlineAt: Type.Optional(At),
  cancel: Type.Optional(Type.Object({ reason: Text, by: Word, at: At }, closed)),
  needs: Type.Optional(Type.Array(Type.Object({
    id: Id, name: Nullable(Word), state: Nullable(OneOf(runStates))
  }, closed), {
    maxItems: 1000, description: 'Runs that it goes after; null: one that the store has forgotten since'
  })),
  waiting: Type.Optional({ ...Count, description: 'How many of those have not ended as far as this one knows' }),
  replayOf: Type.Optional(Id),
  replays: Type.Optional(Count),
  isReplay: Type.Optional(Type.Boolean())
}, { $id: 'RunDetail', ...closed })
export type RunDetail = Static<typeof RunDetailSchema>

export const RunQuerySchema = Type.Object({
  ...list,
  ...range,
  state: Type.Optional(Type.Array(OneOf(runStates), { maxItems: runStates.length })),
  name: Type.Optional(Word),
  queue: Type.Optional(OneOf(queues)),
  lane: Type.Optional(OneOf(lanes)),
  batchId: Type.Optional(Word),
  causeId: Type.Optional(Word)
}, { $id: 'RunQuery', ...closed })
export type RunQuery = Static<typeof RunQuerySchema>

const Reason = Type.String({ minLength: 1, maxLength: 200 })

export const CancelSchema = Type.Object({ reason: Reason }, { $id: 'CancelRun', ...closed })

export const RunPatchSchema = Type.Object({
  lane: Type.Optional(OneOf(lanes)), runAt: Type.Optional(At)
}, { $id: 'RunPatch', ...closed, minProperties: 1 })
export type RunPatch = Static<typeof RunPatchSchema>

const waitingFilter = { name: Type.Optional(Word), batchId: Type.Optional(Word), causeId: Type.Optional(Word) }
export const WaitingFilterSchema = Type.Object(waitingFilter, closed)
export type WaitingFilter = Static<typeof WaitingFilterSchema>
export const CancelManySchema = Type.Object({
  filter: Type.Object({ ...waitingFilter, workspaceId: Type.Optional(Workspace) }, { ...closed, minProperties: 1 }),
  reason: Reason
}, { $id: 'CancelRuns', ...closed })
export type CancelMany = Static<typeof CancelManySchema>
export const ReorderManySchema = Type.Object({
  filter: CancelManySchema.properties.filter, lane: Type.Optional(OneOf(lanes)), runAt: Type.Optional(At)
}, { $id: 'ReorderRuns', ...closed, minProperties: 2 })
export type ReorderMany = Static<typeof ReorderManySchema>
export const ReorderedSchema = Type.Object({ reordered: Count }, { $id: 'ReorderedRuns', ...closed })
export const CancelledSchema = Type.Object({ cancelled: Count }, { $id: 'CancelledRuns', ...closed })

export const QueueSchema = Type.Object({
  queue: OneOf(queues),
  waiting: Type.Object({ interactive: Count, default: Count, bulk: Count }, {
    ...closed, description: 'Pending runs by lane; 10,000 stands for more'
  }),
  live: Count,
  oldestAgeMs: Nullable(Count),
  startsPerMin: Type.Number({ minimum: 0 }),
  workers: Count,
  concurrency: Count,
  isPaused: Type.Boolean(),
  pause: Nullable(Type.Object({ reason: Type.String(), by: Type.String(), at: At }, {
    ...closed, description: 'Who paused the whole queue, and why'
  })),
  pausedWorkspaces: Type.Array(Workspace, { maxItems: 1000 })
}, { $id: 'JobQueue', ...closed })
export type QueueOut = Static<typeof QueueSchema>
export const QueueListSchema = Type.Object({
  data: Type.Array(ref(QueueSchema), { maxItems: queues.length })
}, { $id: 'JobQueueList', ...closed })
export const QueueParams = Type.Object({ queue: Type.String({ maxLength: 32 }) }, closed)
export const PauseSchema = Type.Object({
  workspaceId: Type.Optional(Workspace), reason: Type.Optional(Reason)
}, { $id: 'PauseQueue', ...closed })

/** What a letter is asked for by; the same in routes, job and rules. */
export const letterFilter = {
  fingerprint: Type.Optional(Fingerprint),
  name: Type.Optional(Word),
  class: Type.Optional(Word),
  code: Type.Optional(Word),
  codeVersion: Type.Optional(Type.Array(Word, { maxItems: 100 })),
  ...range
}
export const LetterFilterSchema = Type.Object(letterFilter, closed)
export type LetterFilter = Static<typeof LetterFilterSchema>

export const LetterSchema = Type.Object({
  id: Id,
  workspaceId: Workspace,
  runId: Id,
  name: Word,
  class: Word,
  code: Word,
  message: Text,
  fingerprint: Fingerprint,
  state: OneOf(letterStates),
  codeVersion: Word,
  failedAt: At,
  round: Type.Integer({ minimum: 0, description: 'How often its origin was replayed already' }),
  isEdited: Type.Boolean(),
  closedAt: Type.Optional(At),
  closedBy: Type.Optional(Word),
  reason: Type.Optional(Text),
  replayRunId: Type.Optional(Id)
}, { $id: 'DeadLetter', ...closed })
export type LetterOut = Static<typeof LetterSchema>
export const LetterPageSchema = pageOf(LetterSchema, 'DeadLetterPage')

export const LetterDetailSchema = Type.Object({
  ...LetterSchema.properties, attempts: Type.Array(Attempt, { maxItems: 21 }), data: Type.Unknown(),
  needers: Type.Array(Id, { maxItems: 100, description: 'Runs that ended because this one did; the first hundred' })
}, { $id: 'DeadLetterDetail', ...closed })
export type LetterDetail = Static<typeof LetterDetailSchema>

export const LetterQuerySchema = Type.Object({
  ...list, ...letterFilter, state: Type.Optional(OneOf(letterStates, { description: 'Default open' }))
}, { $id: 'DeadLetterQuery', ...closed })
export type LetterQuery = Static<typeof LetterQuerySchema>
const { limit: _limit, cursor: _cursor, ...exportQuery } = LetterQuerySchema.properties
export const LetterExportQuerySchema = Type.Object(exportQuery, { $id: 'DeadLetterExportQuery', ...closed })

export const GroupSchema = Type.Object({
  fingerprint: Fingerprint, name: Word, class: Word, code: Word, message: Text, count: Count, firstAt: At, lastAt: At,
  workspaces: Type.Array(Type.Object({ workspaceId: Workspace, count: Count }, closed), { maxItems: 10 }),
  sampleId: Id
}, { $id: 'DeadLetterGroup', ...closed, description: 'Open letters of one fingerprint; the largest ten workspaces' })
export type GroupOut = Static<typeof GroupSchema>
export const GroupListSchema = Type.Object({
  data: Type.Array(ref(GroupSchema), { maxItems: 500 })
}, { $id: 'DeadLetterGroupList', ...closed })
export const GroupQuerySchema = Type.Object({ workspaceId: Type.Optional(Workspace) }, {
  $id: 'DeadLetterGroupQuery', ...closed
})

export const LetterEditSchema = Type.Object({
  data: Type.Record(Word, Type.Unknown(), { maxProperties: 200, description: 'A merge patch of the data' })
}, { $id: 'DeadLetterEdit', ...closed })

const chosen = {
  ids: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 100 })),
  filter: Type.Optional(Type.Object({ ...letterFilter, workspaceId: Type.Optional(Workspace) }, {
    ...closed, minProperties: 1
  }))
}

export const LetterReplaySchema = Type.Object({
  ...chosen,
  dryRun: Type.Optional(Type.Boolean()),
  ratePerS: Type.Optional(rates),
  lane: Type.Optional(OneOf(lanes))
}, { $id: 'DeadLetterReplay', ...closed, description: 'Either ids or a filter; 10 a second in lane bulk by default' })
export type LetterReplay = Static<typeof LetterReplaySchema>

export const ReplayReportSchema = Type.Object({
  matched: Count,
  replayed: Type.Array(Type.Object({ id: Id, runId: Id }, closed), { maxItems: 100 }),
  refused: Type.Array(Type.Object({ id: Id, code: Word }, closed), { maxItems: 100 })
}, { $id: 'ReplayReport', ...closed })
export type ReplayReport = Static<typeof ReplayReportSchema>

export const LetterDiscardSchema = Type.Object({ ...chosen, reason: Reason }, { $id: 'DeadLetterDiscard', ...closed })
export type LetterDiscard = Static<typeof LetterDiscardSchema>
export const DiscardReportSchema = Type.Object({ discarded: Count, hasMore: Type.Boolean() }, {
  $id: 'DiscardReport', ...closed
})

const CodeVersion = Type.String({ pattern: '^[0-9]{1,9}(\\.[0-9]{1,9}){0,3}$', maxLength: 40 })
export const RuleSchema = Type.Object({
  fingerprint: Fingerprint,
  fromVersion: CodeVersion,
  ratePerS: Type.Optional(rates),
  lane: Type.Optional(OneOf(lanes))
}, { $id: 'ReplayRule', ...closed, description: 'Letters of older code are replayed once workers have this version' })
export type Rule = Static<typeof RuleSchema>
export const RulesSchema = Type.Object({ data: Type.Array(ref(RuleSchema), { maxItems: 100 }) }, {
  $id: 'ReplayRules', ...closed
})

export const EventSchema = Type.Object({
  id: Id,
  type: Word,
  version: Type.Integer(),
  workspaceId: Workspace,
  subject: Type.Object({ type: Word, id: Word, version: Type.Optional(Type.Integer()) }, closed),
  data: Type.Unknown(),
  at: At,
  subscribers: Type.Array(Word, { maxItems: 100 }),
  cause: Nullable(Type.Object({ kind: Word, id: Word }, closed))
}, { $id: 'LoggedEvent', ...closed })
export type EventOut = Static<typeof EventSchema>
export const EventPageSchema = pageOf(EventSchema, 'LoggedEventPage')

const SubjectText = Type.String({
  pattern: '^[a-z][a-z0-9-]*:[^:]+', maxLength: 200, description: '<type>:<id>'
})
export const EventQuerySchema = Type.Object({
  ...list, ...range, type: Type.Optional(Word), subject: Type.Optional(SubjectText)
}, { $id: 'LoggedEventQuery', ...closed })
export type EventQuery = Static<typeof EventQuerySchema>

export const EventReplaySchema = Type.Object({
  type: Word,
  subject: Type.Optional(SubjectText),
  from: At,
  to: Type.Optional(At),
  subscriber: Word,
  dryRun: Type.Optional(Type.Boolean()),
  ratePerS: Type.Optional(rates),
  workspaceId: Type.Optional(Workspace)
}, { $id: 'EventReplay', ...closed })
export type EventReplay = Static<typeof EventReplaySchema>
export const EventReplayReportSchema = Type.Object({ matched: Count }, { $id: 'EventReplayReport', ...closed })

export const schemas = [
  RunSchema, RunPageSchema, RunDetailSchema, RunQuerySchema, CancelSchema, RunPatchSchema, CancelManySchema,
  CancelledSchema, ReorderManySchema, ReorderedSchema, QueueSchema, QueueListSchema, PauseSchema, LetterSchema,
  LetterPageSchema, LetterDetailSchema,
  LetterQuerySchema, LetterExportQuerySchema, GroupSchema, GroupListSchema, GroupQuerySchema, LetterEditSchema,
  LetterReplaySchema, ReplayReportSchema, LetterDiscardSchema, DiscardReportSchema, RuleSchema, RulesSchema,
  EventSchema, EventPageSchema, EventQuerySchema, EventReplaySchema, EventReplayReportSchema
]
