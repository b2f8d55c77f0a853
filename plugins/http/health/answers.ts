import type { Probe } from './checks.ts'

export type HealthPath = '/health' | '/health/live' | '/health/ready' | '/health/startup'

export interface HealthState { isReady: boolean, isDraining: boolean }

/** Status and body of a probe; what fails is named, its details stay in the log. */
export function answerHealth (
  path: HealthPath, probe: Probe, { isReady, isDraining }: HealthState
): { status: number, body: object } {
  if (path === '/health/live') return { status: 200, body: { status: 'pass' } }
  if (path === '/health/startup') {
    return { status: isReady ? 200 : 503, body: { status: isReady ? 'pass' : 'fail' } }
  }
  const overall = isDraining || !isReady ? 'fail' : probe.overall()
  const checks = Object.fromEntries(
    [...probe.states].map(([name, { status, observedAt, ms }]) => [name, { status, observedAt, ms }])
  )
  const body = { status: overall, ...(path === '/health' ? { checks } : {}) }
  return { status: overall === 'fail' ? 503 : 200, body }
}
