import { Type } from 'typebox'
import { alertFired, alertResolved } from '../analytics/index.ts'
import { codeRequested } from '../identity/index.ts'
import { defineEvent, defineSubscriber } from '../kernel/index.ts'
import { Id, Nullable, OneOf } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }

/** One per change of an inbox; subject version = `seq` of its counters, without a gap. */
export const inboxChanged = defineEvent({
  name: 'notifications.inbox.changed',
  data: Type.Object({
    userId: Id,
    kind: OneOf(['item-added', 'item-changed', 'counters']),
    itemId: Nullable(Id),
    unseen: Type.Integer(),
    unread: Type.Integer()
  }, closed)
})

const MessageFact = Type.Object({
  messageId: Id,
  workflow: Type.String({ maxLength: 64 }),
  channel: OneOf(['email']),
  reason: Nullable(Type.String({ maxLength: 64 }))
}, closed)

export const messageSent = defineEvent({ name: 'notifications.message.sent', data: MessageFact })
export const messageFailed = defineEvent({ name: 'notifications.message.failed', data: MessageFact })
export const messageUnknown = defineEvent({ name: 'notifications.message.unknown', data: MessageFact })

export const publishInbox = defineSubscriber({
  name: 'notifications.publish-inbox', event: inboxChanged, order: 'subject', lane: 'interactive'
})
export const startAlertRaised = defineSubscriber({
  name: 'notifications.start-alert-raised', event: alertFired, lane: 'interactive'
})
export const startAlertResolved = defineSubscriber({
  name: 'notifications.start-alert-resolved', event: alertResolved, lane: 'interactive'
})
export const startVerifyEmail = defineSubscriber({
  name: 'notifications.start-verify-email', event: codeRequested, replay: 'refuse', lane: 'interactive'
})
