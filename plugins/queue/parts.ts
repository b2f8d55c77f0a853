import type { FastifyInstance } from 'fastify'
import {
  capacitySchemas, createBacklogGuard, createBatchControl, createBatchRepository, createBatches, createCapacity,
  createNeedRepository, createResourceRepository, createShareRepository, type BatchControl, type Capacity
} from '../../src/jobs/index.ts'
import type { Batches } from '../../src/kernel/index.ts'
import type { Wake } from './wake.ts'

declare module 'fastify' {
  interface FastifyInstance {
    batches: Batches
    batchControl: BatchControl
    capacity: Capacity
  }
}

interface Parts { isDeclared: (job: string) => boolean, wake: (wake: Wake) => void }

/** Decorates what has to do with many runs at once; answers what the sender needs of it. */
export function decorateTogether (app: FastifyInstance, { isDeclared, wake }: Parts) {
  const { db, clock } = app
  const [needs, batches, shares] = [createNeedRepository(db), createBatchRepository(db), createShareRepository(db)]
  app.decorate('batches', createBatches({
    // The sender is decorated after this.
    jobs: { addMany: async (...given) => await app.jobs.addMany(...given) }, batches, clock, isDeclared
  }))
  app.decorate('batchControl', createBatchControl({
    batches, needs, tx: app.tx, clock, onEnded: app.tellEnded, onMoved: (queues) => { wake({ queues: [...queues] }) }
  }))
  app.declare({ domain: 'jobs', schemas: capacitySchemas })
  app.decorate('capacity', createCapacity({
    resources: createResourceRepository(db), shares, declared: app.registry.resources, clock
  }))
  return { needs, batches, backlog: createBacklogGuard({ shares, clock }) }
}
