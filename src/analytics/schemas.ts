import { Type, type Static } from 'typebox'
import { At, Id, Nullable, OneOf, pageOf, PositionSchema, ref } from '../kernel/schemas.ts'

const EventName = Type.String({ pattern: '^[a-z][a-z0-9_.]{0,79}$', maxLength: 80 })
const Property = Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$', maxLength: 64 })
const Scalar = Type.Union([Type.String({ maxLength: 512 }), Type.Number(), Type.Boolean()])

export const IncomingEventSchema = Type.Object({
  id: Type.Optional(Id),
  sourceId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  name: EventName,
  at: Type.Optional(At),
  actor: Type.Optional(Type.String({ maxLength: 128 })),
  session: Type.Optional(Type.String({ maxLength: 64 })),
  props: Type.Optional(Type.Record(Property, Scalar, { maxProperties: 32, additionalProperties: false }))
}, { $id: 'IncomingEvent', additionalProperties: false })
export type IncomingEvent = Static<typeof IncomingEventSchema>

export const IncomingEventsSchema = Type.Object({
  events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 2000 })
}, {
  $id: 'IncomingEvents', additionalProperties: false, description: 'Each event is judged by itself (IncomingEvent)'
})

const itemCodes = ['id_missing', 'at_mismatch', 'in_future', 'too_old', 'name_invalid', 'props_invalid'] as const
export type ItemCode = typeof itemCodes[number]

export const IngestResultSchema = Type.Object({
  ack: OneOf(['durable']),
  accepted: Type.Integer({ minimum: 0 }),
  duplicates: Type.Integer({ minimum: 0 }),
  rejected: Type.Integer({ minimum: 0 }),
  results: Type.Array(Type.Object({
    index: Type.Integer({ minimum: 0 }),
    id: Nullable(Id),
    status: OneOf(['accepted', 'duplicate', 'rejected']),
    code: Type.Optional(OneOf(itemCodes)),
    pointer: Type.Optional(Type.String({ maxLength: 200 }))
  }, { additionalProperties: false }), { maxItems: 2000 })
}, { $id: 'IngestResult', additionalProperties: false })
export type IngestResult = Static<typeof IngestResultSchema>

export const FilterSchema = Type.Object({
  prop: Property,
  op: OneOf(['eq', 'ne', 'in', 'gt', 'gte', 'lt', 'lte', 'exists', 'prefix']),
  value: Type.Union([Scalar, Type.Array(Scalar, { minItems: 1, maxItems: 50 })])
}, { $id: 'QueryFilter', additionalProperties: false })
export type Filter = Static<typeof FilterSchema>

export const grains = ['minute', 'quarter', 'hour', 'day', 'week', 'month', 'none'] as const
export type Grain = typeof grains[number]

export const QuerySchema = Type.Object({
  event: EventName,
  measure: Type.Optional(Type.Object({ kind: OneOf(['count']) }, { additionalProperties: false })),
  where: Type.Optional(Type.Array(ref(FilterSchema), { maxItems: 8 })),
  groupBy: Type.Optional(Type.Array(Property, { maxItems: 3 })),
  range: Type.Union([
    Type.Object({ from: At, to: At }, { additionalProperties: false }),
    Type.Object({
      last: Type.String({ pattern: '^[1-9][0-9]{0,3}[mhd]$', maxLength: 6 })
    }, { additionalProperties: false })
  ]),
  zone: Type.Optional(Type.String({ maxLength: 64, description: 'IANA zone of the buckets; UTC when absent' })),
  grain: Type.Optional(OneOf(grains)),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  fill: Type.Optional(OneOf(['zero']))
}, { $id: 'AnalyticsQuery', additionalProperties: false })
export type Query = Static<typeof QuerySchema>

export const TableSchema = Type.Object({
  columns: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 8 }),
  rows: Type.Array(Type.Array(Type.Union([Scalar, Type.Null()]), { maxItems: 8 }), { maxItems: 1000 }),
  asOf: At,
  source: OneOf(['rollup', 'raw']),
  approximations: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 8 })
}, { $id: 'AnalyticsTable', additionalProperties: false })
export type Table = Static<typeof TableSchema>

export const EventNameSchema = Type.Object({
  name: EventName, count: Type.Integer(), lastAt: At
}, { $id: 'EventName', additionalProperties: false })

export const EventNamesSchema = Type.Object({
  data: Type.Array(ref(EventNameSchema), { maxItems: 500 })
}, { $id: 'EventNames', additionalProperties: false })

export const LiveMetricSchema = Type.Object({
  name: EventName,
  value: Type.Integer({ description: 'Count of the running UTC day' }),
  delta: Type.Integer({ description: 'Count of the running minute' }),
  at: At
}, { $id: 'LiveMetric', additionalProperties: false })
export type LiveMetric = Static<typeof LiveMetricSchema>

export const LiveMetricsSchema = Type.Object({
  data: Type.Array(ref(LiveMetricSchema), { maxItems: 500 }), position: ref(PositionSchema)
}, { $id: 'LiveMetrics', additionalProperties: false })

const ruleFields = {
  name: Type.String({ minLength: 1, maxLength: 120 }),
  query: ref(QuerySchema),
  op: OneOf(['gt', 'gte', 'lt', 'lte']),
  threshold: Type.Number(),
  forMs: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
  everyMs: Type.Integer({ minimum: 5000, maximum: 3_600_000 }),
  lagMs: Type.Integer({ minimum: 0, maximum: 60_000 }),
  notify: Type.Object({
    users: Type.Array(Id, { maxItems: 100 })
  }, { additionalProperties: false, description: 'Who gets the message; whoever made the rule when empty' })
}

export const NewAlertSchema = Type.Object({
  name: ruleFields.name,
  query: ruleFields.query,
  op: ruleFields.op,
  threshold: ruleFields.threshold,
  forMs: Type.Optional(ruleFields.forMs),
  everyMs: Type.Optional(ruleFields.everyMs),
  lagMs: Type.Optional(ruleFields.lagMs),
  notify: Type.Optional(ruleFields.notify)
}, { $id: 'NewAlert', additionalProperties: false })
export type NewAlert = Static<typeof NewAlertSchema>

export const AlertInstanceSchema = Type.Object({
  id: Id,
  state: OneOf(['normal', 'pending', 'firing']),
  since: At,
  value: Nullable(Type.Number())
}, { $id: 'AlertInstance', additionalProperties: false })
export type AlertInstance = Static<typeof AlertInstanceSchema>

export const AlertSchema = Type.Object({
  id: Id,
  ...ruleFields,
  isEnabled: Type.Boolean(),
  instance: Nullable(ref(AlertInstanceSchema)),
  createdAt: At
}, { $id: 'Alert', additionalProperties: false })
export type Alert = Static<typeof AlertSchema>

export const AlertPageSchema = pageOf(AlertSchema, 'AlertPage')

/** Everything above that is a component of the OpenAPI document. */
export const schemas = [
  IncomingEventSchema, IncomingEventsSchema, IngestResultSchema, FilterSchema, QuerySchema, TableSchema,
  EventNameSchema, EventNamesSchema, LiveMetricSchema, LiveMetricsSchema, NewAlertSchema, AlertInstanceSchema,
  AlertSchema, AlertPageSchema
]
