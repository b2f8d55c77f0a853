import { setTimeout as sleep } from 'node:timers/promises'
import fp from 'fastify-plugin'
import type { Static, TSchema } from 'typebox'
import {
  JobsError, batchCompleted, batchSchemas, collections, createLeaseRepository, createRunReads, createRunRepository,
  permissions, runTopic, type RunReads
} from '../src/jobs/index.ts'
import type {
  DomainEvent, EventHandler, EventsHandler, JobDefinition, JobHandler, JobSender, Leases, SubscriberDefinition
} from '../src/kernel/index.ts'
import { createBindings } from './queue/bindings.ts'
import { bullConnection } from './queue/connection.ts'
import type { Keepers } from './queue/keepers.ts'
import { createLeases } from './queue/leases.ts'
import { createLoneStart, type LoneStart } from './queue/executing.ts'
import { createQueueMetrics } from './queue/metrics.ts'
import { createObstacles } from './queue/obstacles.ts'
import { decorateOperating } from './queue/operating.ts'
import { runtimeLimits, type OwnProcess, type RuntimeLimits } from './queue/own-process.ts'
import { createPartitions } from './queue/partitions.ts'
import { addScale, canaryDeclarations } from './queue/scale.ts'
import { addScheduling } from './queue/scheduling.ts'
import { buildSender } from './queue/sending.ts'
import { bindProjectors, decorateStanding, type StandingOptions } from './queue/standing.ts'
import { createWaker } from './queue/wake.ts'

export interface QueueOptions {
  prefix: string
  role: 'server' | 'worker'
  /** Which queues this process consumes; `keeper` also competes for the relay. */
  groups: readonly string[]
  partitions: number
  codeVersion?: string
  /** Where the process is the worker's own: solo children, the watchdog and its replacement. */
  own?: OwnProcess
  limits?: Partial<RuntimeLimits>
  /** Backups, reports and what else stands in the timetable; without it backups are refused. */
  standing?: StandingOptions
  offline?: boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    jobs: JobSender
    leases: Leases
    runs: RunReads
    /** One start in the place of the worker that claimed its run; what a solo child does. */
    solo: LoneStart
    /** Tells the relay, at the commit of the transaction at work, that a queue gets a run; of anybody by default. */
    wakeQueue: (queue: string, workspaceId?: string) => void
    /** Binds the handler of a job; in workers. */
    handleJob<D extends TSchema, R extends TSchema> (
      job: JobDefinition<D, R>, handler: JobHandler<Static<D>, Static<R>>): void
    /** Binds the handler of a subscriber; in workers. */
    onEvent<T extends TSchema> (subscriber: SubscriberDefinition<T>, handler: EventHandler<Static<T>>): void
    /** Binds what a subscriber does with events that go together; in workers. */
    onEvents<T extends TSchema> (subscriber: SubscriberDefinition<T>, handler: EventsHandler<Static<T>>): void
  }
}

const noStanding: StandingOptions = { backupKey: null, backupStore: 'storage', logDir: '' }

export default fp<QueueOptions>(async function queue (app, options) {
  const { prefix, role, groups, codeVersion = '0', own, standing = noStanding, offline = false } = options
  const limits = { ...runtimeLimits, ...options.limits }
  const { db, clock, log, processes, processId } = app
  const metrics = createQueueMetrics(app.metrics)
  const partitions = createPartitions(prefix, options.partitions)
  const bindings = createBindings(app.registry)
  const runs = createRunRepository(db)
  const leases = createLeases({
    leases: createLeaseRepository(db), by: processes.id, holder: processId, isGone: processes.isGone, log
  })
  let keepers: Keepers | undefined
  const waker = createWaker(app.bus, app.tx, partitions, (partition, wake) => keepers?.tell(partition, wake) ?? false)

  app.declare({
    domain: 'jobs', errors: JobsError, topics: [runTopic], schemas: batchSchemas, permissions,
    jobs: canaryDeclarations.jobs, events: [batchCompleted, ...canaryDeclarations.events],
    collections
  })
  app.live.bind(runTopic, { lossy: true })
  const sender = buildSender(app, {
    homeOf: partitions.homeOf, metrics, onAdded: waker.onAdded, wake: waker.send
  })
  app.decorate('jobs', sender.port)
  app.decorate('solo', createLoneStart(app, {
    bindings, codeVersion, wake: waker.send, metrics, giveUpMs: limits.giveUpMs
  }))
  app.decorate('leases', leases.port)
  app.decorate('runs', createRunReads({ runs, clock }))
  app.decorate('wakeQueue', waker.onAdded)
  const scheduling = addScheduling(app, { obstacles: createObstacles(app) })
  app.decorate('handleJob', ((job: JobDefinition, handler: JobHandler) => {
    requireWorker(role)
    bindings.job(job, handler)
  }) as typeof app.handleJob)
  app.decorate('onEvent', ((subscriber: SubscriberDefinition, handler: EventHandler<DomainEvent>) => {
    requireWorker(role)
    bindings.subscriber(subscriber, handler as EventHandler)
  }) as typeof app.onEvent)
  app.decorate('onEvents', ((subscriber: SubscriberDefinition, handler: EventsHandler) => {
    requireWorker(role)
    bindings.together(subscriber, handler)
  }) as typeof app.onEvents)
  decorateOperating(app, waker)
  decorateStanding(app, standing, codeVersion)
  addScale(app, { role, bindings, partitions, offline })
  if (offline) return

  app.healthChecks.add({
    name: 'outbox', critical: false, timeoutMs: 2000, check: async () => {
      await checkLag(await runs.oldestDue(clock.now()))
    }
  })
  async function checkLag (oldest: Date | undefined): Promise<void> {
    const lagMs = oldest === undefined ? 0 : clock.ms() - oldest.getTime()
    metrics.lag(lagMs)
    if (lagMs > 60_000) throw new Error(`the oldest due run waits since ${Math.round(lagMs / 1000)} s`)
  }

  const connection = role === 'worker' && groups.length > 0
    ? bullConnection(app.redis, () => {
      runtime?.redisCameBack()
      keepers?.redisCameBack()
    })
    : undefined
  // Only a process that consumes loads BullMQ.
  const runtime = connection === undefined
    ? undefined
    : (await import('./queue/runtime.ts')).createRuntime(
        app, { groups, bindings, connection, partitions, codeVersion, wake: waker.send, metrics, limits, own })
  if (connection !== undefined && groups.includes('keeper')) {
    const { buildKeepers } = await import('./queue/keepers.ts')
    const { createWatch, watchLease } = await import('./queue/watching.ts')
    keepers = buildKeepers(app, { connection, partitions, metrics, wake: waker.send })
    keepers.compete(leases.port, scheduling.lead)
    leases.port.hold(watchLease, createWatch(app, waker.onAdded))
  }

  app.addHook('onReady', async () => {
    if (role === 'worker') {
      bindProjectors(app)
      bindings.check()
    }
    await app.subscriberDuty.register()
    await runtime?.start()
    leases.start()
  })
  // Before anything that handlers use is closed.
  app.addHook('preClose', async () => {
    await runtime?.drain()
    const closing = leases.close()
    // A keeper that waits for a Redis that is away: what it wanted to add stands in the store.
    await Promise.race([closing, sleep(3000, undefined, { ref: false })])
    await keepers?.close()
    await sender.close()
    connection?.disconnect()
    await closing
  })
}, { name: 'queue', dependencies: ['telemetry', 'errors', 'mongo', 'cache', 'pubsub'] })

function requireWorker (role: string): void {
  if (role !== 'worker') throw new Error('handlers are bound in workers only')
}
