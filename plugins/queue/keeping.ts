import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createClaimRepository, createDedupeRepository, createLeaseRepository, createRelayRepository, createWorkerRepository
} from '../../src/jobs/index.ts'
import { createDelivery } from './delivery.ts'
import { createKeeper } from './keeper.ts'
import type { QueueMetrics } from './metrics.ts'
import { createRecovery } from './recovery.ts'
import { createRelay } from './relay.ts'
import { createTargets } from './targets.ts'
import { onWake, onWorkers } from './wake.ts'
import { createWorkersView } from './workers-view.ts'

export const keeperLease = 'jobs.keeper:0'

/** The keeper of partition 0 with all that it works with. */
export function buildKeeper (
  app: FastifyInstance, { connection, prefix, metrics }: { connection: Redis, prefix: string, metrics: QueueMetrics }
) {
  const { db, clock, log, processes, bus } = app
  const runs = createRelayRepository(db)
  const workers = createWorkerRepository(db)
  const delivery = createDelivery(connection, prefix)
  const view = createWorkersView({ workers, clock, isGone: processes.isGone })
  const targets = createTargets({ workers, runs, clock })
  const relay = createRelay({ runs, delivery, view, targets, clock, onPublished: metrics.released })
  const recovery = createRecovery({
    runs,
    claims: createClaimRepository(db),
    dedupes: createDedupeRepository(db),
    leases: createLeaseRepository(db),
    delivery,
    view,
    clock,
    redis: app.redis,
    epochKey: `${prefix}:epoch`,
    lease: keeperLease,
    killDead: processes.killDead,
    removeWorker: workers.remove,
    onCrash ({ queue, workspaceId, serial }) {
      metrics.crashed()
      keeper.wake({ queues: [queue], ...(serial === undefined ? {} : { serials: [[workspaceId, serial]] }) })
    },
    log
  })
  const keeper = createKeeper({ relay, recovery, targets, view, runs, clock, log })
  const offWake = onWake(bus, (wake) => { if (keeper.isLeading()) keeper.wake(wake) })
  const offWorkers = onWorkers(bus, () => { if (keeper.isLeading()) keeper.workersChanged() })

  return {
    ...keeper,
    async close (): Promise<void> {
      offWake()
      offWorkers()
      await delivery.close()
    }
  }
}
