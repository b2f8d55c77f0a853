import fp from 'fastify-plugin'
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client'

export interface TelemetryOptions { role: 'server' | 'worker', version: string }

export interface HealthCheck {
  name: string
  /** A failing critical check turns readiness to 503; any other one only warns. */
  critical: boolean
  timeoutMs: number
  /** Rejects, or answers why it fails. */
  check: () => Promise<unknown>
}

/** What `/health/ready` asks in the background; registered by the plugin that owns the dependency. */
export interface HealthChecks {
  add (check: HealthCheck): void
  list (): readonly HealthCheck[]
  /** Whether the process is about to end: then it is not ready, whatever the checks say. */
  isDraining (): boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry
    healthChecks: HealthChecks
  }
}

function createHealthChecks (isDraining: () => boolean): HealthChecks {
  const checks = new Map<string, HealthCheck>()
  return {
    add (check) {
      if (checks.has(check.name)) throw new Error(`health check ${check.name} is added twice`)
      checks.set(check.name, check)
    },
    list: () => [...checks.values()],
    isDraining
  }
}

/** Every sample wakes the process, idle or not: at every 10 ms they were most of what an idle one did. */
const lagSampleMs = 100

export default fp<TelemetryOptions>(async function telemetry (app, { role, version }) {
  const metrics = new Registry()
  metrics.setDefaultLabels({ role })
  collectDefaultMetrics({ register: metrics, prefix: 'switchyard_', eventLoopMonitoringPrecision: lagSampleMs })
  new Gauge({
    name: 'switchyard_build', help: 'Version at work', labelNames: ['version'], registers: [metrics]
  }).set({ version }, 1)
  app.decorate('metrics', metrics)
  let isDraining = false
  app.decorate('healthChecks', createHealthChecks(() => isDraining))
  // The first of these hooks: the queue waits in its own for what is at work.
  app.addHook('preClose', (done) => {
    isDraining = true
    done()
  })
  app.addHook('onClose', () => { metrics.clear() })
}, { name: 'telemetry' })
