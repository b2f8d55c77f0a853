import { definePermissions, type Actor } from '../kernel/index.ts'
import type { AlertRepository } from './repository/alerts.ts'
import { AnalyticsError } from './errors.ts'
import type { Alert } from './schemas.ts'

export const permissions = definePermissions('analytics', {
  'event:write': { kind: 'write', roles: ['owner', 'admin', 'member', 'bot'], sentence: 'Send analytics events.' },
  'data:read': { kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See counts and alerts.' },
  'alert:write': { kind: 'write', roles: ['owner', 'admin', 'member'], sentence: 'Make and change alert rules.' }
})

export type AnalyticsAccess = ReturnType<typeof createAnalyticsAccess>

export function createAnalyticsAccess (alerts: AlertRepository) {
  return {
    /** A rule of the actor's workspace. Throws `alert_not_found`. */
    async alert (actor: Actor, id: string): Promise<Alert> {
      const alert = await alerts.find(actor.workspaceId, id)
      if (alert === undefined) throw AnalyticsError.alert_not_found({ id })
      return alert
    },

    /** Live counts and alerts of one's own workspace; of another one there are none. Throws `alert_not_found`. */
    async workspace (actor: Actor, workspaceId: string): Promise<void> {
      if (actor.workspaceId !== workspaceId || !actor.can('analytics:data:read')) throw AnalyticsError.alert_not_found()
    }
  }
}
