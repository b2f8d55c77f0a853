import type { Static } from 'typebox'
import type { alertFired } from '../analytics/index.ts'

export type Step = 'inApp' | 'email'

/** The list of steps for one kind of news; old runs finish with the version they began. */
export interface Workflow {
  key: string
  version: number
  category: 'alerts' | 'security'
  /** Ignores preferences; for codes and security. */
  isCritical: boolean
  /** A second copy costs less than a missing one: sent again after an uncertain answer. */
  isAtLeastOnce: boolean
  steps: readonly Step[]
}

export const alertRaised: Workflow = {
  key: 'analytics.alert-raised', version: 1, category: 'alerts', isCritical: false, isAtLeastOnce: false,
  steps: ['inApp', 'email']
}

/** Its recipient is the flow of a registration: there is no account yet. */
export const verifyEmail: Workflow = {
  key: 'identity.verify-email', version: 1, category: 'security', isCritical: true, isAtLeastOnce: true,
  steps: ['email']
}

const workflows = new Map([alertRaised, verifyEmail].map((workflow) => [workflow.key, workflow]))

export function workflowOf (key: string): Workflow {
  const workflow = workflows.get(key)
  if (workflow === undefined) throw new Error(`no workflow is called ${key}`)
  return workflow
}

type Alert = Static<typeof alertFired['data']>
export type AlertData = Pick<Alert, 'ruleName' | 'event' | 'value' | 'threshold' | 'at' | 'link'> &
  { state: 'raised' | 'resolved' }

/** What an alert says in the inbox: whole sentences, numbers as the rule has them. */
export function alertText ({ state, ruleName, event, value, threshold }: AlertData): { title: string, body: string } {
  return state === 'raised'
    ? { title: `Alert: ${ruleName}`, body: `${event} stands at ${value}; the threshold is ${threshold}.` }
    : { title: `Resolved: ${ruleName}`, body: `${event} is back at ${value}; the threshold is ${threshold}.` }
}
