import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createClaimRepository, createRelayRepository, createResourceRepository, createShareRepository,
  createWorkerRepository, queuesOf, rhythms
} from '../../src/jobs/index.ts'
import type { Queue } from '../../src/kernel/index.ts'
import type { Bindings } from './bindings.ts'
import { createStarts } from './claims.ts'
import { createConsumer, type Consumer } from './consumer.ts'
import { createExecutor } from './execute.ts'
import type { QueueMetrics } from './metrics.ts'
import { createRunPlaces } from './run-places.ts'
import { createRunPublisher } from './progress.ts'
import { tellWorkers, type Wake } from './wake.ts'

const seenEveryMs = 3000
const strangersEveryMs = 10_000
const drainMs = 20_000

interface Parts {
  groups: readonly string[]
  bindings: Bindings
  connection: Redis
  prefix: string
  codeVersion: string
  wake: (wake: Wake) => void
  metrics: QueueMetrics
}

/** The consuming half of a worker process (`jobs.md` 4.3). */
export function createRuntime (app: FastifyInstance, parts: Parts) {
  const { groups, bindings, connection, prefix, codeVersion, wake, metrics } = parts
  const { db, clock, log, processes, processId, tx } = app
  const claims = createClaimRepository(db, app.wakeQueue)
  const runs = createRelayRepository(db)
  const workers = createWorkerRepository(db)
  const delay = monitorEventLoopDelay({ resolution: 20 })
  const starts = createStarts({ claims, tx, worker: processes.id, clock, isLiving, onSuperseded: metrics.superseded, log })
  const places = createRunPlaces({
    shares: createShareRepository(db), resources: createResourceRepository(db), wake, log
  })
  const executor = createExecutor({
    places,
    claims, starts, workers, tx, clock, log, codeVersion, boundOf: bindings.of, wake, publish: createRunPublisher(
      app.live, clock, log
    ), metrics
  })
  const consumers: Consumer[] = []
  const timers: NodeJS.Timeout[] = []

  async function isLiving (worker: string): Promise<boolean> {
    const row = (await workers.list()).find(({ _id }) => _id === worker)
    return row !== undefined && !processes.isGone(row) && clock.ms() - row.seenAt.getTime() < 10_000
  }

  async function see (): Promise<void> {
    await workers.see({
      _id: processes.id,
      ...processId,
      codeVersion,
      queues: Object.fromEntries(consumers.map(({ queue }) => [queue, rhythms[queue].concurrency])),
      handles: bindings.handles(),
      rssBytes: process.memoryUsage.rss(),
      lagMs: Math.round(delay.percentile(99) / 1e6),
      seenAt: clock.now()
    })
    delay.reset()
  }

  /** Runs that the store holds under this name and that are not at work here: an answer of the store was lost. */
  async function returnStrangers (): Promise<void> {
    for (const start of await claims.ofWorkers([processes.id])) {
      const isOld = start.startedAt !== undefined && clock.ms() - start.startedAt.getTime() > strangersEveryMs
      if (isOld && !executor.isActive(start.id)) await claims.crash(start, clock.now(), 0)
    }
  }

  async function deliverAgain (queue: Queue, forMs: number): Promise<number> {
    const count = await runs.takeBackWaiting(queue, new Date(clock.ms() - forMs))
    if (count > 0) wake({ queues: [queue] })
    return count
  }

  function every (ms: number, work: () => Promise<void>): void {
    timers.push(setInterval(() => {
      work().catch((err: unknown) => { log.warn({ err }, 'a loop of the worker failed') })
    }, ms).unref())
  }

  /** Queues of the groups that a declared job or subscriber uses: each costs a blocking connection. */
  function wanted (): Queue[] {
    const used = new Set<string>([...app.registry.jobs.values()].map(({ queue }) => queue))
    if (app.registry.subscribers.size > 0) used.add('fast')
    return queuesOf(groups).filter((queue) => used.has(queue))
  }

  return {
    async start (): Promise<void> {
      for (const queue of wanted()) {
        consumers.push(createConsumer({
          queue,
          connection,
          prefix,
          starts,
          executor,
          deliverAgain,
          log
        }))
      }
      if (consumers.length === 0) return
      delay.enable()
      await see()
      tellWorkers(app.bus)
      await places.load()
      every(seenEveryMs, see)
      every(1000, places.load)
      every(1000, async () => { for (const consumer of consumers) await consumer.watch() })
      every(strangersEveryMs, returnStrangers)
    },

    redisCameBack () { for (const consumer of consumers) consumer.redisCameBack() },

    /** Ends without costing an attempt: waits, then aborts, then gives back (`jobs.md` 4.3). */
    async drain (): Promise<void> {
      for (const timer of timers) clearInterval(timer)
      if (consumers.length === 0) return
      executor.drain()
      const pausing = Promise.all(consumers.map(async (consumer) => { await consumer.pause() }))
      pausing.catch((err: unknown) => { log.debug({ err }, 'pausing') })
      await settled(drainMs)
      executor.stop()
      executor.abortAll()
      await settled(5000)
      await workers.remove(processes.id)
      tellWorkers(app.bus)
      await Promise.race(
        [
          Promise.allSettled(
            consumers.map(async (consumer) => { await consumer.close() })
          ), sleep(3000, undefined, { ref: false })
        ]
      )
      delay.disable()
    }
  }

  async function settled (withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    while (executor.activeCount() > 0 && performance.now() < untilMs) await sleep(20)
  }
}
