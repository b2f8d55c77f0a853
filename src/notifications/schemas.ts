import { Type, type Static } from 'typebox'
import { At, Id, Nullable, OneOf, PageInfoSchema, PositionSchema, ref } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }
export const inboxStates = ['unseen', 'unread', 'read', 'archived'] as const
export const itemActions = ['read', 'unread', 'archive'] as const

export const InboxItemSchema = Type.Object({
  id: Id,
  workspaceId: Type.String({ maxLength: 36 }),
  category: Type.String({ maxLength: 32 }),
  title: Type.String({ maxLength: 200 }),
  body: Type.String({ maxLength: 1000 }),
  link: Nullable(Type.String({ maxLength: 500, description: 'Path of the console' })),
  seenAt: Nullable(At),
  readAt: Nullable(At),
  archivedAt: Nullable(At),
  createdAt: At
}, { $id: 'InboxItem', ...closed })
export type InboxItem = Static<typeof InboxItemSchema>

const counters = { unseen: Type.Integer({ minimum: 0 }), unread: Type.Integer({ minimum: 0 }) }
export const InboxCountersSchema = Type.Object(counters, { $id: 'InboxCounters', ...closed })
export type InboxCounters = Static<typeof InboxCountersSchema>

export const InboxPageSchema = Type.Object({
  data: Type.Array(ref(InboxItemSchema), { maxItems: 100 }),
  page: ref(PageInfoSchema),
  position: Type.Optional(ref(PositionSchema)),
  ...counters
}, { $id: 'InboxPage', ...closed })

export const InboxFilter = { state: Type.Optional(OneOf(inboxStates)) }

export const UpToSchema = Type.Object({
  upTo: Type.Optional(Type.Unsafe<string>({ ...Id, description: 'The newest item it concerns; absent: all' }))
}, { $id: 'UpTo', ...closed })

export const CapturedMailSchema = Type.Object({
  id: Type.String({ maxLength: 300 }),
  to: Type.String({ maxLength: 254 }),
  subject: Type.String({ maxLength: 1000 }),
  text: Type.String({ maxLength: 200_000 }),
  html: Nullable(Type.String({ maxLength: 500_000 })),
  at: At
}, { $id: 'CapturedMail', ...closed })
export type CapturedMail = Static<typeof CapturedMailSchema>

export const CapturedMailListSchema = Type.Object({
  data: Type.Array(ref(CapturedMailSchema), { maxItems: 200 })
}, { $id: 'CapturedMailList', ...closed })

export const schemas = [
  InboxItemSchema, InboxCountersSchema, InboxPageSchema, UpToSchema, CapturedMailSchema, CapturedMailListSchema
]
