import type { FastifyInstance } from 'fastify'
import {
  createBacklogGuard, createBatchControl, createBatchRepository, createBatches, createNeedRepository,
  createResourceRepository, createShareRepository,
  type BatchControl, type ResourceRepository, type Share
} from '../../src/jobs/index.ts'
import type { Batches } from '../../src/kernel/index.ts'
import type { Wake } from './wake.ts'

/** What an operator gives resources and workspaces; holds from the next look of the relay on, half a second later. */
export interface Capacity {
  set: ResourceRepository['set']
  share (share: Share): Promise<void>
}

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
  const resources = createResourceRepository(db)
  app.decorate('batches', createBatches({
    // The sender is decorated after this.
    jobs: { addMany: async (...given) => await app.jobs.addMany(...given) }, batches, clock, isDeclared
  }))
  app.decorate('batchControl', createBatchControl({
    batches, needs, tx: app.tx, clock, onEnded: app.tellEnded, onMoved: (queues) => { wake({ queues: [...queues] }) }
  }))
  app.decorate('capacity', { set: resources.set, share: shares.set })
  return { needs, batches, backlog: createBacklogGuard({ shares, clock }) }
}
