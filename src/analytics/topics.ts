import { Type } from 'typebox'
import { defineTopic } from '../kernel/index.ts'
import { At, Id } from '../kernel/schemas.ts'

export const AnalyticsLive = defineTopic('analytics.live:{workspaceId}', {
  class: 'state',
  source: 'lossy',
  kinds: {
    metric: Type.Object({ value: Type.Integer(), delta: Type.Integer(), at: At }, { additionalProperties: false })
  },
  rate: { perKeyPerSec: 1 }
})

const AlertView = Type.Object({
  alertId: Id,
  instanceId: Id,
  ruleName: Type.String({ maxLength: 120 }),
  value: Type.Number(),
  threshold: Type.Number(),
  at: At
}, { additionalProperties: false })

export const AnalyticsAlerts = defineTopic('analytics.alerts:{workspaceId}', {
  class: 'event',
  source: 'outbox',
  kinds: { firing: AlertView, resolved: AlertView },
  history: { count: 200, ttlMs: 86_400_000 },
  priority: 'high'
})
