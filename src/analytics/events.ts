import { Type } from 'typebox'
import { defineEvent, defineSubscriber } from '../kernel/index.ts'
import { At, Id } from '../kernel/schemas.ts'

const AlertChange = Type.Object({
  alertId: Id,
  instanceId: Id,
  ruleName: Type.String({ maxLength: 120 }),
  event: Type.String({ maxLength: 80 }),
  value: Type.Number(),
  threshold: Type.Number(),
  at: At,
  recipients: Type.Array(Id, { maxItems: 100 }),
  link: Type.String({ maxLength: 200, description: 'Path of the console' })
}, { additionalProperties: false })

export const alertFired = defineEvent({ name: 'analytics.alert.fired', data: AlertChange })
export const alertResolved = defineEvent({ name: 'analytics.alert.resolved', data: AlertChange })

export const announceFired = defineSubscriber({
  name: 'analytics.announce-fired', event: alertFired, order: 'subject', lane: 'interactive'
})
export const announceResolved = defineSubscriber({
  name: 'analytics.announce-resolved', event: alertResolved, order: 'subject', lane: 'interactive'
})
