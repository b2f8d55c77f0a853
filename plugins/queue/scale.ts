import type { FastifyInstance } from 'fastify'
import {
  boardCookie, boardSessionMs, canaryFailed, canaryProblem, createBoardSessions, createCanaryRepository,
  createLoadRepository, createWorkerRepository, runCanary, usedQueues, type BoardSessions
} from '../../src/jobs/index.ts'
import type { JobDefinition } from '../../src/kernel/index.ts'
import type { Bindings } from './bindings.ts'
import type { BoardQueues } from './board-queues.ts'
import type { Partitions } from './partitions.ts'
import { createScaling, exposeScaling, type Scaling } from './scaling.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** How many processes each used queue asks for. */
    scaling: Scaling
    board: Board
  }
}

/** The board for operators: who may see it, and what it shows. */
export interface Board extends BoardSessions {
  cookie: string
  /** How long a cookie lasts. */
  seconds: number
  openQueues (): Promise<BoardQueues>
}

/** What the slice declares for its canary. */
export const canaryDeclarations = { jobs: [runCanary as unknown as JobDefinition], events: [canaryFailed] }

interface Options {
  role: 'server' | 'worker'
  bindings: Bindings
  partitions: Partitions
  drainS: number
  offline: boolean
}

/** The signal for scalers, and the proof that a due job would run (`jobs.md` 4.8). */
export function addScale (
  app: FastifyInstance, { role, bindings, partitions, drainS, offline }: Options
): void {
  const { db, clock, processes, metrics } = app
  const scaling = createScaling({
    load: createLoadRepository(db),
    workers: createWorkerRepository(db),
    clock,
    drainS,
    isGone: processes.isGone,
    queues: () => usedQueues(app.registry),
    jobsOf: (queue) => [...app.registry.jobs.values()].filter((job) => job.queue === queue).map(({ name }) => name)
  })
  app.decorate('scaling', scaling)
  app.decorate('board', {
    ...createBoardSessions(app.cache),
    cookie: boardCookie,
    seconds: boardSessionMs / 1000,
    openQueues: async () => (await import('./board-queues.ts')).openBoardQueues(app, partitions)
  })
  if (role === 'worker') bindings.job(runCanary as unknown as JobDefinition, async () => undefined)
  if (offline) return
  if (role === 'worker') exposeScaling(metrics, scaling)
  else watchCanaries(app)
}

/** The server's readiness warns where a due job might not run. */
function watchCanaries ({ db, clock, healthChecks }: FastifyInstance): void {
  const canaries = createCanaryRepository(db)
  const sinceMs = clock.ms()
  healthChecks.add({
    name: 'canary',
    critical: false,
    timeoutMs: 2000,
    check: async () => {
      const problem = canaryProblem(await canaries.latest(), clock.ms(), sinceMs)
      if (problem !== undefined) throw new Error(problem)
    }
  })
}
