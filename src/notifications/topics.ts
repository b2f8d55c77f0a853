import { Type } from 'typebox'
import { defineTopic } from '../kernel/index.ts'
import { InboxCountersSchema, InboxItemSchema } from './schemas.ts'

const WithItem = Type.Object({
  item: InboxItemSchema, unseen: Type.Integer({ minimum: 0 }), unread: Type.Integer({ minimum: 0 })
}, { additionalProperties: false })

/** The in-app inbox of one person; the offset is the counter document's `seq`. */
export const InboxTopic = defineTopic('notifications.inbox:{userId}', {
  class: 'durable',
  source: 'outbox',
  kinds: { 'item-added': WithItem, 'item-changed': WithItem, counters: InboxCountersSchema },
  history: { count: 500, ttlMs: 86_400_000 },
  priority: 'high',
  auto: 'user'
})
