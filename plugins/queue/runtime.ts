import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import {
  createPoisonRepository, createQuarantine, createRelayRepository, queuesOf, usedQueues, type RunAborted,
  type RunRow
} from '../../src/jobs/index.ts'
import type { Queue } from '../../src/kernel/index.ts'
import { createConsumer, type Consumer } from './consumer.ts'
import { onCancel } from './control.ts'
import { buildExecutor, type ExecutingParts } from './executing.ts'
import type { Handover } from './handover.ts'
import { createLoopGuard } from './loop-guard.ts'
import { createLossyRunner } from './lossy.ts'
import { loopLimitMs, type OwnProcess, type RuntimeLimits } from './own-process.ts'
import type { Partitions, Share } from './partitions.ts'
import { onPoison, tellPoison } from './poison-news.ts'
import { createCounted } from './rates.ts'
import { createSolo } from './solo.ts'
import { createSoloStarts } from './solo-starts.ts'
import { tellWorkers } from './wake.ts'
import { startWatchdog } from './watchdog.ts'

const seenEveryMs = 3000
const strangersEveryMs = 10_000
const cancelledEveryMs = 3000

interface Parts extends Omit<ExecutingParts, 'giveUpMs' | 'onIgnored' | 'solo'> {
  groups: readonly string[]
  connection: Redis
  partitions: Partitions
  limits: RuntimeLimits
  /** Absent in a process that is not the worker's own. */
  own: OwnProcess | undefined
}

/** The consuming half of a worker process (`jobs.md` 4.3). */
export function createRuntime (app: FastifyInstance, parts: Parts) {
  const { groups, bindings, connection, partitions, codeVersion, wake, metrics, limits, own } = parts
  const { db, clock, log, processes, processId, tx, jobs } = app
  const poison = createPoisonRepository(db)
  const quarantine = createQuarantine()
  const loopMs = loopLimitMs(limits, groups)
  const solo = own && createSoloStarts({
    solo: createSolo({ own, memoryMb: limits.soloMb, loopMs, log }),
    quarantine,
    clock,
    giveUpMs: limits.giveUpMs,
    killDead: processes.killDead,
    onSolo: metrics.solo,
    onPoison: (poisoned) => { tellPoison(app.bus, poisoned) }
  })
  const { rates, counted } = createCounted(metrics)
  const { claims, workers, starts, places, executor } = buildExecutor(app, {
    bindings, codeVersion, wake, metrics: counted, giveUpMs: limits.giveUpMs, onIgnored, ...(solo && { solo })
  })
  const offs = [onCancel(app.bus, executor.cancel), onPoison(app.bus, quarantine.add)]
  const runLossy = createLossyRunner({ boundOf: bindings.of, jobs, tx, clock, log, metrics: counted })
  const consumers: Consumer[] = []
  const timers: NodeJS.Timeout[] = []
  const guard = createLoopGuard(consumers, log, () => {
    see().catch((err: unknown) => { log.warn({ err }, 'a new concurrency was not told') })
  })
  let watchdog: ReturnType<typeof startWatchdog> | undefined
  let isLeaving = false
  let seeing: Promise<void> = Promise.resolve()

  /** What ignores its signal goes on without end, and takes a place in the process from everybody else. */
  function onIgnored ({ _id, name }: RunRow, reason: RunAborted['reason']): void {
    if (reason !== 'shutdown') leave(`${name} ignores its signal (${reason}, run ${_id})`)
  }

  function leave (reason: string): void {
    log.error({ reason }, own === undefined ? 'this worker is worn out' : 'this worker is worn out and is replaced')
    if (isLeaving) return
    isLeaving = true
    own?.replace(reason)
  }

  /** One after the other: an older word about the concurrency must not land last. */
  function see (): Promise<void> {
    seeing = seeing.catch(() => undefined).then(seeOnce)
    return seeing
  }

  async function seeOnce (): Promise<void> {
    await workers.see({
      _id: processes.id,
      ...processId,
      codeVersion,
      queues: placesOf(consumers),
      handles: bindings.handles(),
      rates: rates.all(),
      rssBytes: process.memoryUsage.rss(),
      lagMs: guard.takeWorstMs(),
      seenAt: clock.now()
    })
    quarantine.set(await poison.poisoned())
  }

  /** Runs that the store holds under this name and that are not at work here: an answer of the store was lost. */
  async function returnStrangers (): Promise<void> {
    for (const start of await claims.ofWorkers([processes.id])) {
      const isOld = start.startedAt !== undefined && clock.ms() - start.startedAt.getTime() > strangersEveryMs
      if (isOld && !executor.isActive(start.id)) await claims.crash(start, clock.now(), 0)
    }
  }

  /** What a message that was lost said. */
  async function abortCancelled (): Promise<void> {
    if (executor.activeCount() === 0) return
    for (const id of await claims.cancelledOf(processes.id)) executor.cancel(id)
  }

  async function deliverAgain (queue: Queue, { slots }: Share, forMs: number): Promise<number> {
    const count = await createRelayRepository(db, slots).takeBackWaiting(queue, new Date(clock.ms() - forMs))
    if (count > 0) wake({ queues: [queue] })
    return count
  }

  function every (ms: number, work: () => Promise<void>): void {
    timers.push(setInterval(() => {
      work().catch((err: unknown) => { log.warn({ err }, 'a loop of the worker failed') })
    }, ms).unref())
  }

  return {
    async start (): Promise<void> {
      const used = usedQueues(app.registry)
      // Each costs a blocking connection.
      const queues = queuesOf(groups).filter((queue) => used.includes(queue))
      if (queues.length === 0) return
      // Known before the first start: one more of a kind would cost another process.
      quarantine.set(await poison.poisoned())
      for (const queue of queues) {
        consumers.push(...partitions.sharesOf(queue).map((share) => createConsumer({
          queue, connection, share, starts, executor, runLossy, deliverAgain, log,
          onSilent: () => { leave(`the consumer of ${queue} starts nothing although work is there`) }
        })))
      }
      if (own !== undefined) watchdog = startWatchdog({ limitMs: loopMs })
      guard.start()
      await see()
      tellWorkers(app.bus)
      await places.load()
      every(seenEveryMs, see)
      every(1000, places.load)
      every(1000, async () => { for (const consumer of consumers) await consumer.watch() })
      every(strangersEveryMs, returnStrangers)
      every(cancelledEveryMs, abortCancelled)
    },

    startBeyond: (handed: Handover): void => { startBeyond(consumers, handed) },
    redisCameBack () { for (const consumer of consumers) consumer.redisCameBack() },

    /** Ends without costing an attempt: waits, then aborts, then gives back (`jobs.md` 4.3). */
    async drain (): Promise<void> {
      for (const timer of timers) clearInterval(timer)
      for (const off of offs) off()
      if (consumers.length === 0) return
      guard.stop()
      executor.drain()
      const pausing = Promise.all(consumers.map(async (consumer) => { await consumer.pause() }))
      pausing.catch((err: unknown) => { log.debug({ err }, 'pausing') })
      await settled(limits.shutdownMs)
      executor.stop()
      executor.abortAll()
      await settled(5000)
      await workers.remove(processes.id)
      tellWorkers(app.bus)
      const closing = Promise.allSettled(consumers.map(async (consumer) => { await consumer.close() }))
      await Promise.race([closing, sleep(3000, undefined, { ref: false })])
      await watchdog?.stop()
    }
  }

  async function settled (withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs
    while (executor.activeCount() > 0 && performance.now() < untilMs) await sleep(20)
  }
}

/** Starts the run of a newcomer where all places of its queue are taken. */
function startBeyond (consumers: readonly Consumer[], { queue, id, release }: Handover): void {
  consumers.find((consumer) => consumer.queue === queue && consumer.startBeyond(id, release))
}

/** Places of the process by queue, over all partitions. */
function placesOf (consumers: readonly Consumer[]): Record<string, number> {
  const places: Record<string, number> = {}
  for (const { queue, concurrency } of consumers) places[queue] = (places[queue] ?? 0) + concurrency()
  return places
}
