import { Type, type Static } from 'typebox'
import { lanes, misfires, overlaps } from '../../kernel/index.ts'
import { At, Id, Nullable, OneOf, pageOf, pageQuery } from '../../kernel/schemas.ts'

const closed = { additionalProperties: false }
const Name = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,127}$', maxLength: 128 })
const Count = Type.Integer({ minimum: 0 })
const Reason = Type.String({ maxLength: 128 })
const Wall = Type.String({ maxLength: 32, description: 'Wall time, as 2026-01-31T09:00:00' })
const verdicts = ['fire', 'skip', 'buffer', 'wait', 'blackout'] as const
const runStates = [
  'blocked', 'pending', 'published', 'running', 'done', 'dead', 'cancelled', 'expired', 'skipped'
] as const

const Spec = Type.Object({
  cron: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  everyMs: Type.Optional(Type.Integer()),
  rrule: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
  dtstart: Type.Optional(Wall),
  monthEnd: Type.Optional(OneOf(['skip', 'clamp'])),
  fold: Type.Optional(OneOf(['first', 'second']))
}, closed)

/** What may be said of a schedule, and later be said anew. */
const settings = {
  data: Type.Unknown(),
  spec: Spec,
  zone: Type.String({ minLength: 1, maxLength: 64 }),
  overlap: OneOf(overlaps),
  misfire: OneOf(misfires),
  catchUpMs: Nullable(Type.Integer({ minimum: 60_000, maximum: 604_800_000 })),
  resources: Type.Array(Name, { maxItems: 16 }),
  lane: Nullable(OneOf(lanes)),
  rank: Type.Integer({ minimum: -1000, maximum: 1000 }),
  smear: Type.Boolean(),
  pauseAfter: Type.Integer({ minimum: 0, maximum: 1000 })
}
const { data, spec, ...policy } = settings
const asked = Object.fromEntries(
  Object.entries(policy).map(([name, schema]) => [name, Type.Optional(schema)])
) as { [K in keyof typeof policy]: ReturnType<typeof Type.Optional<typeof policy[K]>> }

export const ScheduleSchema = Type.Object({
  id: Id,
  name: Name,
  job: Name,
  ...settings,
  isEnabled: Type.Boolean(),
  isDeclared: Type.Boolean({ description: 'The code declares it; what an operator changed goes over that' }),
  isRetired: Type.Boolean({ description: 'The code declared it once and does not any more' }),
  overridden: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 32 }),
  pausedFor: Nullable(Reason),
  failures: Count,
  lastSlotAt: At,
  nextSlotAt: Nullable(At),
  version: Type.Integer({ minimum: 1 }),
  createdAt: At,
  updatedAt: At
}, { $id: 'Schedule', ...closed, description: 'A rule in time that makes runs of a job' })
export type ScheduleView = Static<typeof ScheduleSchema>

export const SchedulePageSchema = pageOf(ScheduleSchema, 'SchedulePage')

export const NewScheduleSchema = Type.Object({
  name: Name, job: Name, data, spec, ...asked, isEnabled: Type.Optional(Type.Boolean())
}, { $id: 'NewSchedule', ...closed })
export type NewSchedule = Static<typeof NewScheduleSchema>

export const SchedulePatchSchema = Type.Object({
  data: Type.Optional(data), spec: Type.Optional(spec), ...asked
}, { $id: 'SchedulePatch', ...closed, minProperties: 1 })
export type SchedulePatch = Static<typeof SchedulePatchSchema>

export const ScheduleQuerySchema = Type.Object({
  ...pageQuery, isEnabled: Type.Optional(Type.Boolean())
}, { $id: 'ScheduleQuery', ...closed })

export const ScheduleSlotSchema = Type.Object({
  slotAt: At,
  wall: Wall,
  dst: Nullable(OneOf(['gap', 'fold'])),
  outcome: OneOf([...verdicts, 'missed']),
  reasons: Type.Array(Reason, { maxItems: 16 }),
  runId: Nullable(Id),
  runState: Nullable(OneOf(runStates)),
  lateMs: Type.Integer(),
  by: OneOf(['ticker', 'trigger', 'backfill']),
  decidedAt: At
}, { $id: 'ScheduleSlot', ...closed, description: 'One instant of a schedule and what became of it' })
export type ScheduleSlotView = Static<typeof ScheduleSlotSchema>

export const ScheduleSlotPageSchema = pageOf(ScheduleSlotSchema, 'ScheduleSlotPage')

export const ExplanationSchema = Type.Object({
  expectedRunMs: Count,
  slots: Type.Array(Type.Object({
    slotAt: At,
    wall: Wall,
    dst: Nullable(OneOf(['gap', 'fold'])),
    verdict: OneOf(verdicts),
    reasons: Type.Array(Reason, { maxItems: 16 }),
    expectedStartAt: Nullable(At)
  }, closed), { maxItems: 100 })
}, { $id: 'ScheduleExplanation', ...closed, description: 'What the coming slots will do, and why' })
export type Explanation = Static<typeof ExplanationSchema>

export const BackfillSchema = Type.Object({
  from: At, to: At, overlap: Type.Optional(OneOf(overlaps))
}, { $id: 'Backfill', ...closed })
export type Backfill = Static<typeof BackfillSchema>

export const BackfillResultSchema = Type.Object({
  slots: Count, fired: Count, buffered: Count, skipped: Count, already: Count
}, { $id: 'BackfillResult', ...closed, description: 'Old slots by what became of them; `already` had a run before' })
export type BackfillResult = Static<typeof BackfillResultSchema>

export const scheduleSchemas = [
  ScheduleSchema, SchedulePageSchema, NewScheduleSchema, SchedulePatchSchema, ScheduleQuerySchema, ScheduleSlotSchema,
  ScheduleSlotPageSchema, ExplanationSchema, BackfillSchema, BackfillResultSchema
]
