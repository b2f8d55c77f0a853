import type { FastifyPluginAsync } from 'fastify'
import {
  AnalyticsAlerts, announceFired, announceResolved, keptKind, partitionCount
} from '../src/analytics/index.ts'

/** What is kept shortly after a wake is folded with it. */
const gatherMs = 150

const analytics: FastifyPluginAsync = async (app) => {
  const { fold, evaluator, recorders } = app.analyticsLoops

  for (const { subscriber, mapping } of recorders) {
    app.onEvents(subscriber, async (session, events) => {
      await app.analyticsDomain.recordMapped(
        session, events.map((event) => ({ event, mapped: mapping.map(event.data as never) })))
    })
  }

  for (const [subscriber, kind] of [[announceFired, 'firing'], [announceResolved, 'resolved']] as const) {
    app.onEvent(subscriber, async (event) => {
      const { alertId, instanceId, ruleName, value, threshold, at } = event.data
      await app.live.publish(AnalyticsAlerts, { workspaceId: event.workspaceId }, {
        kind, mid: event.id, data: { alertId, instanceId, ruleName, value, threshold, at }
      })
    })
  }

  app.addHook('onReady', async () => {
    for (let partition = 0; partition < partitionCount; partition++) {
      app.leases.hold(`analytics.fold:${partition}`, async (turn) => {
        await fold.run(partition, turn, async (ms) => { await pause(ms, turn.signal, true) })
      })
      app.leases.hold(`analytics.alerts:${partition}`, async (turn) => {
        await evaluator.run(partition, turn, async (ms) => { await pause(ms, turn.signal, false) })
      })
    }
  })

  /** Waits so long, or until something was kept, or until the lease is gone. */
  async function pause (ms: number, signal: AbortSignal, isWoken: boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(end, ms)
      let late: NodeJS.Timeout | undefined
      const off = isWoken && ms >= 1000
        ? app.bus.on(keptKind, () => { late ??= setTimeout(end, gatherMs) })
        : () => {}
      signal.addEventListener('abort', end, { once: true })
      function end (): void {
        clearTimeout(timer)
        clearTimeout(late)
        off()
        signal.removeEventListener('abort', end)
        resolve()
      }
    })
  }
}

export default analytics
