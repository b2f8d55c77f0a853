import fp from 'fastify-plugin'
import {
  JobsError, batchCompleted, batchSchemas, collections, createLeaseRepository, createLoadRepository, createRunReads,
  createRunRepository, permissions, queueTopic, runTopic, type RunReads
} from '../src/jobs/index.ts'
import type { JobSender, Leases } from '../src/kernel/index.ts'
import { decorateBinding } from './queue/binding.ts'
import { createBindings } from './queue/bindings.ts'
import { buildConsuming, noConsuming } from './queue/consuming.ts'
import { createEndNews, type TellEnded } from './queue/end-news.ts'
import { createLoneStart, type LoneStart } from './queue/executing.ts'
import { watchLag } from './queue/lag.ts'
import { createLeases } from './queue/leases.ts'
import { createQueueMetrics } from './queue/metrics.ts'
import { createObstacles } from './queue/obstacles.ts'
import { decorateOperating } from './queue/operating.ts'
import { runtimeLimits, type OwnProcess, type RuntimeLimits } from './queue/own-process.ts'
import { createPartitions } from './queue/partitions.ts'
import { createRunPublisher } from './queue/progress.ts'
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
  /** In what time the scaling signal wants a backlog to be gone; by default a minute. */
  drainS?: number
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
    /** Tells whoever watches them that runs ended which no worker had; inside a transaction after its commit. */
    tellEnded: TellEnded
  }
}

const noStanding: StandingOptions = { backupKey: null, backupStore: 'storage', logDir: '' }

export default fp<QueueOptions>(async function queue (app, options) {
  const { prefix, role, groups, codeVersion = '0', own, standing = noStanding, offline = false } = options
  const { drainS = 60 } = options
  const limits = { ...runtimeLimits, ...options.limits }
  const { db, clock, log, processes, processId } = app
  const metrics = createQueueMetrics(app.metrics)
  const partitions = createPartitions(prefix, options.partitions)
  const bindings = createBindings(app.registry)
  const runs = createRunRepository(db)
  const leases = createLeases({
    leases: createLeaseRepository(db), by: processes.id, holder: processId, isGone: processes.isGone, log
  })
  let consuming = noConsuming
  const waker = createWaker(
    app.bus, app.tx, partitions, (partition, wake) => consuming.keepers?.tell(partition, wake) ?? false)

  app.declare({
    domain: 'jobs', errors: JobsError, topics: [runTopic, queueTopic], schemas: batchSchemas, permissions, collections,
    jobs: canaryDeclarations.jobs, events: [batchCompleted, ...canaryDeclarations.events]
  })
  for (const topic of [runTopic, queueTopic]) app.live.bind(topic, { lossy: true })
  app.decorate('tellEnded', createEndNews({
    runs, publish: createRunPublisher(app.live, clock, log), tx: app.tx, log
  }))
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
  const scheduling = addScheduling(app, createObstacles(app))
  decorateBinding(app, role, bindings)
  decorateOperating(app, waker)
  decorateStanding(app, standing, codeVersion)
  addScale(app, { role, bindings, partitions, drainS, offline })
  if (offline) return

  watchLag(app, { load: createLoadRepository(db), metrics })
  if (role === 'worker' && groups.length > 0) {
    consuming = await buildConsuming(app, {
      groups, bindings, partitions, codeVersion, waker, metrics, limits, own, leases, ticker: scheduling.lead
    })
  }
  app.addHook('onReady', async () => {
    if (groups.includes('keeper') && standing.backupKey === null) log.warn('no backup can be written: set BACKUP_KEY')
    if (role === 'worker') {
      bindProjectors(app)
      bindings.check()
    }
    await app.subscriberDuty.register()
    await consuming.start()
    leases.start()
  })
  // Before anything that handlers use is closed.
  app.addHook('preClose', async () => {
    await consuming.close()
    await leases.close()
    await sender.close()
  })
}, { name: 'queue', dependencies: ['telemetry', 'errors', 'mongo', 'cache', 'pubsub'] })
