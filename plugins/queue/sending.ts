import type { FastifyInstance } from 'fastify'
import {
  arrivalsIn, createDedupeRepository, createInTurn, createJobSender, createRunRepository
} from '../../src/jobs/index.ts'
import { createLossySender } from './lossy.ts'
import type { QueueMetrics } from './metrics.ts'
import { decorateTogether } from './parts.ts'
import type { Wake } from './wake.ts'

interface Parts {
  homeOf: (queue: string, workspaceId: string) => string
  metrics: QueueMetrics
  onAdded: (queue: string, workspaceId: string, id: string) => void
  wake: (wake: Wake) => void
}

/** The sender of an app, and what must be closed of it. */
export function buildSender (app: FastifyInstance, { homeOf, metrics, onAdded, wake }: Parts) {
  const { db, clock, log, redis, registry } = app
  const inTurn = createInTurn()
  app.tx.join({ name: 'in-turn', afterEnd: inTurn.over })
  app.tx.join({
    name: 'arrivals',
    afterCommit (notes) {
      for (const { queue, lane, count } of arrivalsIn(notes)) metrics.arrived(queue, lane, count)
    }
  })
  const isDeclared = (name: string): boolean => registry.jobs.has(name)
  const lossy = createLossySender({ redis, homeOf, isDeclared, onDropped: metrics.dropped, log })
  const port = createJobSender({
    ...decorateTogether(app, { isDeclared, wake }), runs: createRunRepository(db),
    dedupes: createDedupeRepository(db, inTurn), clock, isDeclared, onAdded, lossy: lossy.port
  })
  return { port, close: lossy.close }
}
