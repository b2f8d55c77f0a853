import type { FastifyInstance } from 'fastify'
import {
  createBurials, createClaimRepository, createHoldRepository, createLetterRepository, createNeedRepository,
  createResourceRepository, createShareRepository, createWorkerRepository, type RunAborted, type RunRow, type StartKey
} from '../../src/jobs/index.ts'
import type { Bindings } from './bindings.ts'
import { createStarts } from './claims.ts'
import { createExecutor, type Executor } from './execute.ts'
import type { QueueMetrics } from './metrics.ts'
import type { Ended } from './outcomes.ts'
import { createRunPublisher } from './progress.ts'
import { createRunPlaces } from './run-places.ts'
import type { SoloStarts } from './solo-starts.ts'
import type { Wake } from './wake.ts'

export interface ExecutingParts {
  bindings: Bindings
  codeVersion: string
  wake: (wake: Wake) => void
  metrics: QueueMetrics
  giveUpMs: number
  onIgnored: (run: RunRow, reason: RunAborted['reason']) => void
  solo?: SoloStarts
}

/** The executor of an app with all that it works with. */
export function buildExecutor (app: FastifyInstance, parts: ExecutingParts) {
  const { db, clock, log, processes, tx, live, jobs } = app
  const { bindings, metrics } = parts
  const claims = createClaimRepository(db, {
    onFreed: (queue) => { app.wakeQueue(queue) }, onFailed: app.tellEnded
  })
  const workers = createWorkerRepository(db)

  async function isLiving (worker: string): Promise<boolean> {
    const row = (await workers.list()).find(({ _id }) => _id === worker)
    return row !== undefined && !processes.isGone(row) && clock.ms() - row.seenAt.getTime() < 10_000
  }

  const starts = createStarts({
    claims, tx, worker: processes.id, clock, isLiving, onSuperseded: metrics.superseded, log
  })
  const places = createRunPlaces({
    shares: createShareRepository(db), resources: createResourceRepository(db), wake: parts.wake, log
  })
  const executor = createExecutor({
    ...parts,
    claims,
    needsOf: createNeedRepository(db).statesOf,
    starts, places, holds: createHoldRepository(db), tx, clock, log, jobs, boundOf: bindings.of,
    publish: createRunPublisher(live, clock, log),
    onBuried: createBurials({ letters: createLetterRepository(db), events: () => app.events })
  })
  return { claims, workers, starts, places, executor }
}

/** What a solo child does: one start, whose run its worker has claimed. */
export interface LoneStart {
  run (key: StartKey): Promise<Ended>
  abort (reason: RunAborted['reason']): void
}

export function createLoneStart (
  app: FastifyInstance, parts: Omit<ExecutingParts, 'onIgnored' | 'solo'>
): LoneStart {
  let built: { claims: ReturnType<typeof createClaimRepository>, executor: Executor } | undefined
  // Built at its first use: most workers are no child.
  function get () {
    built ??= buildExecutor(app, { ...parts, onIgnored: () => undefined })
    return built
  }

  return {
    async run ({ id, fence, claim }) {
      const { claims, executor } = get()
      const [run] = await claims.byClaim([id], claim)
      if (run?.fence !== fence) return { isDone: true, cause: 'superseded', code: '' }
      return await executor.start(run)
    },
    abort (reason) {
      const { executor } = get()
      // Also a run that is not told of yet goes back.
      if (reason === 'shutdown') executor.stop()
      executor.abortAll(reason)
    }
  }
}
