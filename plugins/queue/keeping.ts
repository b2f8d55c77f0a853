import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createBatchRepository, createBatchWatch, createCandidateRepository, createClaimRepository, createDedupeRepository,
  createLeaseRepository, createNeedRepository, createPauseRepository, createRelayRepository, createResourceRepository,
  createShareRepository, createWorkerRepository
} from '../../src/jobs/index.ts'
import { createChoice } from './choice.ts'
import { createContest } from './contest.ts'
import { createDelivery } from './delivery.ts'
import { createDuties } from './duties.ts'
import { createKeeper } from './keeper.ts'
import type { QueueMetrics } from './metrics.ts'
import { createPauses } from './pauses.ts'
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
  const pauses = createPauses(createPauseRepository(db))
  const candidates = createCandidateRepository(db)
  const choice = createChoice({ candidates, shares: createShareRepository(db), concurrencyOf: view.concurrencyOf })
  const contest = createContest({
    resources: createResourceRepository(db), declared: app.registry.resources, clock
  })
  const relay = createRelay({
    runs, candidates, choice, contest, delivery, view, targets, pauses, clock, onPublished: metrics.released
  })
  const watch = createBatchWatch({
    batches: createBatchRepository(db), needs: createNeedRepository(db), jobs: app.jobs, events: () => app.events,
    jobOf: (name) => app.registry.jobs.get(name), tx: app.tx, clock, log
  })
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
  const keeper = createKeeper({
    relay, contest, watch, recovery, targets, pauses, duties: createDuties(app, view), view, runs, clock, log
  })
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
