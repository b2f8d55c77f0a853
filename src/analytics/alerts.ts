import { uuidv7, type Clock, type EventBus, type LeaseTurn, type Tx } from '../kernel/index.ts'
import type { AlertRepository, Instance, InstanceChange, Rule } from './repository/alerts.ts'
import { alertFired, alertResolved } from './events.ts'
import type { createQueries } from './query.ts'
import type { AnalyticsRepository } from './repository.ts'

interface Collaborators {
  alerts: AlertRepository
  analytics: AnalyticsRepository
  queries: ReturnType<typeof createQueries>
  events: EventBus
  tx: Tx
  clock: Clock
}

const compare = {
  gt: (a: number, b: number) => a > b,
  gte: (a: number, b: number) => a >= b,
  lt: (a: number, b: number) => a < b,
  lte: (a: number, b: number) => a <= b
}

/** What an instance becomes when its condition is or is not met at a tick; undefined where nothing changes. Pure. */
export function nextState (
  before: Pick<Instance, 'state' | 'pendingSince' | 'since'> | undefined,
  { isMet, tick, forMs }: { isMet: boolean, tick: Date, forMs: number }
): Pick<Instance, 'state' | 'pendingSince' | 'since'> | undefined {
  const state = before?.state ?? 'normal'
  if (!isMet) return state === 'normal' ? undefined : { state: 'normal', pendingSince: null, since: tick }
  if (state === 'firing') return undefined
  const pendingSince = before?.pendingSince ?? tick
  if (tick.getTime() - pendingSince.getTime() >= forMs) return { state: 'firing', pendingSince, since: tick }
  return state === 'pending' ? undefined : { state: 'pending', pendingSince, since: tick }
}

/** Evaluates rules at fixed ticks, only where everything before the tick is counted (`analytics.md` 4.7). */
export function createAlertEvaluator ({ alerts, analytics, queries, events, tx, clock }: Collaborators) {
  const lastTicks = new Map<string, number>()

  async function evaluate (rule: Rule, watermarkMs: number): Promise<void> {
    const tickMs = Math.floor(clock.ms() / rule.everyMs) * rule.everyMs
    if ((lastTicks.get(rule.id) ?? 0) >= tickMs || watermarkMs < tickMs - rule.lagMs) return
    const value = await queries.count(rule.workspaceId, rule.query, tickMs - rule.lagMs)
    const before = await alerts.instance(rule.id)
    const tick = new Date(tickMs)
    if (before === undefined || before.lastTick.getTime() < tickMs) {
      const isMet = compare[rule.op](value, rule.threshold)
      const next = nextState(before, { isMet, tick, forMs: rule.forMs })
      if (next !== undefined) await move(rule, before, { ...next, value, lastTick: tick })
    }
    lastTicks.set(rule.id, tickMs)
  }

  async function move (rule: Rule, before: Instance | undefined, change: InstanceChange): Promise<void> {
    const id = before?.id ?? uuidv7()
    await tx(async (session) => {
      if (!await alerts.move(session, rule, before, id, change)) return
      const event = change.state === 'firing'
        ? alertFired
        : before?.state === 'firing' ? alertResolved : undefined
      if (event === undefined) return
      await events.emit(session, event, {
        alertId: rule.id,
        instanceId: id,
        ruleName: rule.name,
        event: rule.query.event,
        value: change.value,
        threshold: rule.threshold,
        at: change.since.toISOString(),
        recipients: rule.recipients,
        link: `/console/analytics?alert=${rule.id}`
      }, { type: 'alert', id }, { workspaceId: rule.workspaceId })
    })
  }

  return {
    /** The loop of the lease `analytics.alerts:<partition>`. */
    async run (partition: number, { signal }: LeaseTurn, pause: (ms: number) => Promise<void>): Promise<void> {
      while (!signal.aborted) {
        const [rules, watermark] = await Promise.all([alerts.enabled(partition), analytics.watermark(partition)])
        for (const rule of rules) await evaluate(rule, watermark.getTime())
        await pause(1000)
      }
    }
  }
}
