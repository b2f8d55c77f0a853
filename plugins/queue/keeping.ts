import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createBatchRepository, createBatchWatch, createCandidateRepository, createClaimRepository, createDedupeRepository,
  createHoldRepository, createLeaseRepository, createMendingRepository, createNeedRepository, createPauseRepository,
  createRelayRepository, createResourceRepository, createShareRepository, createWorkerRepository,
  createWorkerlessRepository
} from '../../src/jobs/index.ts'
import { createChoice } from './choice.ts'
import { createContest } from './contest.ts'
import { createDelivery } from './delivery.ts'
import { createDuties } from './duties.ts'
import { toNext, type Handover } from './handover.ts'
import { createHolds } from './holds.ts'
import { createKeeper } from './keeper.ts'
import type { QueueMetrics } from './metrics.ts'
import type { Partitions } from './partitions.ts'
import { createPauses } from './pauses.ts'
import { createRecovery } from './recovery.ts'
import { createRelay } from './relay.ts'
import { createRetries } from './retries.ts'
import { createRounds } from './rounds.ts'
import { createTargets } from './targets.ts'
import type { Wake } from './wake.ts'
import { createWorkersView, ofPartition } from './workers-view.ts'

export const keeperLease = (partition: number): string => `jobs.keeper:${partition}`

interface Parts {
  connection: Redis
  partitions: Partitions
  partition: number
  metrics: QueueMetrics
  hand: (handed: Handover) => void
  /** Wakes the keeper that a run belongs to. */
  wake: (wake: Wake) => void
}

/** The keeper of a partition with all that it works with. */
export function buildKeeper (app: FastifyInstance, { connection, partitions, partition, metrics, hand, wake }: Parts) {
  const { db, clock, log, processes, registry } = app
  const slots = partitions.slotsOf(partition)
  const runs = createRelayRepository(db, slots)
  const workers = createWorkerRepository(db)
  const delivery = createDelivery(connection, partitions, partition)
  const view = ofPartition(createWorkersView({ workers, clock, isGone: processes.isGone }), partitions.count)
  const held = createHoldRepository(db)
  const targets = createTargets({ repository: held, runs, clock })
  const pauses = createPauses(createPauseRepository(db))
  const candidates = createCandidateRepository(db, slots)
  const choice = createChoice({ candidates, shares: createShareRepository(db), concurrencyOf: view.concurrencyOf })
  const contest = createContest({ resources: createResourceRepository(db, slots), declared: registry.resources, clock })
  const retries = createRetries({ runs, concurrencyOf: view.concurrencyOf, clock })
  const relay = createRelay({
    runs, candidates, choice, contest, delivery, view, targets, pauses, retries, clock, onPublished: metrics.released,
    handOver: toNext(view, hand), onEnded: app.tellEnded
  })
  const holds = createHolds({ workerless: createWorkerlessRepository(db, slots), view, retries, targets, pauses, log })
  const watch = createBatchWatch({
    batches: createBatchRepository(db), needs: createNeedRepository(db), jobs: app.jobs, events: () => app.events,
    jobOf: (name) => registry.jobs.get(name), tx: app.tx, clock,
    onEnded: app.tellEnded, log
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
    onEnded: app.tellEnded,
    log
  })
  const rounds = createRounds({
    contest, watch, recovery, holds, view, runs, clock,
    mendings: createMendingRepository(db),
    duties: createDuties(app, view),
    // What is about workers and not about runs is done once, whatever the number of partitions.
    isChief: partition === 0,
    wakeAll: ({ queues }) => { if (queues.length > 0) wake({ queues }) },
    log
  })
  const keeper = createKeeper({
    relay, contest, recovery, rounds, retries, targets, pauses, holds: held, runs, clock, log
  })

  return {
    ...keeper,
    async close (): Promise<void> {
      await delivery.close()
    }
  }
}
