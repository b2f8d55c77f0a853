import { Type, type Static } from 'typebox'
import { At, Id, Nullable, pageOf, pageQuery, ref } from '../kernel/schemas.ts'

const closed = { additionalProperties: false } as const
const Name = Type.String({
  pattern: '^(\\*|[A-Za-z0-9][A-Za-z0-9._:@-]{0,127})$',
  maxLength: 128,
  description: 'Of a resource or of the target of jobs; * stands for everything and has blackouts only'
})
const Workspace = Type.String({ minLength: 1, maxLength: 64 })
const Clock = Type.String({
  pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', maxLength: 5, description: 'Wall time, as 22:00'
})
const Capacity = Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'So many runs have it at once' })
const Rate = Type.Number({ exclusiveMinimum: 0, maximum: 100_000, description: 'Starts a second' })

const OnceSchema = Type.Object({ from: At, to: At }, closed)
const DailySchema = Type.Object({
  daily: Type.Object({ from: Clock, to: Clock }, closed),
  days: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 7 }), {
    minItems: 1, maxItems: 7, uniqueItems: true, description: '1 is Monday; without it every day'
  })),
  zone: Type.String({ minLength: 1, maxLength: 64 })
}, closed)
export const BlackoutSchema = Type.Union([OnceSchema, DailySchema], {
  $id: 'Blackout', description: 'When nothing that needs the resource starts: once, or at a wall time of a zone'
})
export type BlackoutView = Static<typeof BlackoutSchema>
const Blackouts = Type.Array(ref(BlackoutSchema), { maxItems: 100 })

const settings = {
  capacity: Type.Optional(Capacity), ratePerS: Type.Optional(Rate), blackouts: Type.Optional(Blackouts)
}
export const ResourceSettingsSchema = Type.Object(settings, {
  $id: 'ResourceSettings', ...closed, description: 'What is absent is as the code declares it'
})
export type ResourceSettings = Static<typeof ResourceSettingsSchema>

export const ResourceSchema = Type.Object({
  name: Name,
  isDeclared: Type.Boolean({ description: 'The code declares it' }),
  capacity: Nullable({ ...Capacity, description: 'Null: nobody said. 1 where runs need it, no limit for a target' }),
  ratePerS: Nullable(Rate),
  blackouts: Type.Array(ref(BlackoutSchema), { maxItems: 200 }),
  settings: ref(ResourceSettingsSchema),
  taken: Type.Integer({ minimum: 0, description: 'Places that runs have now' }),
  holders: Type.Array(Id, { maxItems: 100, description: 'Runs that have them; the first hundred' }),
  holdUntil: Nullable({ ...At, description: 'Nothing starts for the target until then' })
}, { $id: 'JobResource', ...closed, description: 'Capacity that runs take before they start' })
export type ResourceView = Static<typeof ResourceSchema>
export const ResourcePageSchema = pageOf(ResourceSchema, 'JobResourcePage')
export const ResourceQuerySchema = Type.Object(pageQuery, { $id: 'JobResourceQuery', ...closed })
export const ResourceParams = Type.Object({ name: Name }, { $id: 'JobResourceParams', ...closed })

const Weight = Type.Number({ minimum: 0.1, maximum: 100, description: 'Of its turns; 1 by default' })
const MaxLive = Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Runs of each queue at once' })
const PerMin = Type.Number({ minimum: 0.1, maximum: 1_000_000, description: 'Starts a minute, in all queues' })
const MaxBacklog = Type.Integer({
  minimum: 1, maximum: 10_000_000, description: 'Runs that wait; 1,000,000 by default'
})

export const ShareSettingsSchema = Type.Object({
  weight: Type.Optional(Weight),
  maxLive: Type.Optional(MaxLive),
  perMin: Type.Optional(PerMin),
  maxBacklog: Type.Optional(MaxBacklog)
}, { $id: 'ShareSettings', ...closed, description: 'What is absent is the default' })
export type ShareSettings = Static<typeof ShareSettingsSchema>

export const ShareSchema = Type.Object({
  workspaceId: Workspace,
  weight: Weight,
  maxLive: Nullable({ ...MaxLive, description: 'Null: half of the window of a queue while others wait' }),
  perMin: Nullable(PerMin),
  maxBacklog: MaxBacklog
}, { $id: 'WorkspaceShare', ...closed, description: 'What a workspace may have of the queues' })
export type ShareView = Static<typeof ShareSchema>
export const ShareParams = Type.Object({ workspaceId: Workspace }, { $id: 'WorkspaceShareParams', ...closed })

export const capacitySchemas = [
  BlackoutSchema, ResourceSettingsSchema, ResourceSchema, ResourcePageSchema, ResourceQuerySchema, ResourceParams,
  ShareSettingsSchema, ShareSchema, ShareParams
]
