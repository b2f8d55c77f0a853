import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createClaimRepository, createDedupeRepository, createLeaseRepository, createRelayRepository, createWorkerRepository
} from '../../src/jobs/index.ts'
import { createDelivery } from './delivery.ts'
import { createKeeper } from './keeper.ts'
import type { QueueMetrics } from './metrics.ts'
import type { Partitions } from './partitions.ts'
import { createRecovery } from './recovery.ts'
import { createRelay } from './relay.ts'
import { createTargets } from './targets.ts'
import type { Wake } from './wake.ts'
import { createWorkersView, ofPartition } from './workers-view.ts'

export const keeperLease = (partition: number): string => `jobs.keeper:${partition}`

interface Parts {
  connection: Redis
  partitions: Partitions
  partition: number
  metrics: QueueMetrics
  /** Wakes the keeper that a run belongs to. */
  wake: (wake: Wake) => void
}

/** The keeper of a partition with all that it works with. */
export function buildKeeper (app: FastifyInstance, { connection, partitions, partition, metrics, wake }: Parts) {
  const { db, clock, log, processes } = app
  const runs = createRelayRepository(db, partitions.slotsOf(partition))
  const workers = createWorkerRepository(db)
  const delivery = createDelivery(connection, partitions, partition)
  const view = ofPartition(createWorkersView({
    workers, clock, isGone: processes.isGone
  }), partitions.count)
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
    epochKey: partitions.epochKey(partition),
    epochTag: `${partitions.count}.`,
    lease: keeperLease(partition),
    killDead: processes.killDead,
    removeWorker: workers.remove,
    onCrash ({ queue, workspaceId, serial }) {
      metrics.crashed()
      wake({
        queues: [queue],
        workspaces: [workspaceId],
        ...(serial === undefined ? {} : { serials: [[workspaceId, serial]] })
      })
    },
    log
  })
  // What is about workers and not about runs is done once, whatever the number of partitions.
  const keeper = createKeeper({ relay, recovery, targets, view, runs, clock, isChief: partition === 0, log })

  return {
    ...keeper,
    async close (): Promise<void> {
      await delivery.close()
    }
  }
}
