import type { FastifyInstance } from 'fastify'
import type { LoadRepository } from '../../src/jobs/index.ts'
import type { QueueMetrics } from './metrics.ts'

const mostLagMs = 60_000

/** Readiness warns where a due run that nothing holds waits for longer than a minute. */
export function watchLag (
  { healthChecks, clock }: FastifyInstance, { load, metrics }: { load: LoadRepository, metrics: QueueMetrics }
): void {
  healthChecks.add({
    name: 'outbox',
    critical: false,
    timeoutMs: 2000,
    check: async () => {
      const oldest = await load.oldestDue(clock.now())
      const lagMs = oldest === undefined ? 0 : clock.ms() - oldest.getTime()
      metrics.lag(lagMs)
      if (lagMs > mostLagMs) throw new Error(`the oldest due run waits since ${Math.round(lagMs / 1000)} s`)
    }
  })
}
