import fp from 'fastify-plugin'
import { Counter } from 'prom-client'
import type { Analytics, AnalyticsSink } from '../src/kernel/index.ts'

declare module 'fastify' {
  interface FastifyInstance { analytics: Analytics }
}

type Item = Parameters<AnalyticsSink['record']>[0][number]

const most = 1000
const everyMs = 1000

/** Telemetry of the product: gathered for a second, handed to the sink; dropped and counted without one. */
export default fp(async function analytics (app) {
  const dropped = new Counter({
    name: 'switchyard_analytics_dropped_total', help: 'Telemetry that found no sink', registers: [app.metrics]
  })
  let sink: AnalyticsSink | undefined
  let waiting: Item[] = []

  function take (item: Item): void {
    if (sink === undefined || waiting.length >= most) dropped.inc()
    else waiting.push(item)
  }

  async function flush (): Promise<void> {
    const items = waiting
    waiting = []
    if (items.length === 0 || sink === undefined) return
    await sink.record(items).catch((error: unknown) => {
      dropped.inc(items.length)
      app.log.warn({ err: error }, 'telemetry was dropped')
    })
  }

  app.decorate('analytics', {
    track: (name, props = {}) => { take({ name, at: app.clock.ms(), props }) },
    measure: (series, value) => { take({ name: series, at: app.clock.ms(), props: { value } }) },
    bind: (given) => { sink = given }
  })
  const timer = setInterval(() => { void flush() }, everyMs)
  timer.unref()
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await flush()
  })
}, { name: 'analytics', dependencies: ['telemetry', 'mongo'] })
