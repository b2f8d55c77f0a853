import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Queue as BullQueue } from 'bullmq'
import {
  JobsError, checkPayload, classify, judge, priorityOf, workspaceOf, type RunRow
} from '../../src/jobs/index.ts'
import {
  currentContext, lanes, systemActor,
  type JobContext, type JobDefinition, type JobSender, type Lane, type Log, type LossyOptions, type Tx
} from '../../src/kernel/index.ts'
import type { Bound } from './execute.ts'
import { giveUpMs, settle } from './settle.ts'

/** Name of such a delivery in Redis; its data is all there is. */
export const lossyName = 'now'
/** BullMQ's own limit on starts counts for these too. */
export const lossyStarts = 3
const kept = { age: 600, count: 100 }

/** What travels: name, version, data, workspace, trace. */
export interface LossyPayload { j: string, v: number, d: unknown, w: string, t?: string }

type Lossy = Pick<JobSender, 'addNow' | 'addNowMany'>

interface Parts {
  redis: FastifyInstance['redis']
  /** Where the queue of a workspace is. */
  homeOf: (queue: string, workspaceId: string) => string
  isDeclared: (job: string) => boolean
  onDropped: (count: number) => void
  log: Log
}

/** Sends jobs that may be lost: no store, and no wait for a Redis that is away (`jobs.md` 3.1). */
export function createLossySender ({ redis, homeOf, isDeclared, onDropped, log }: Parts) {
  const queues = new Map<string, BullQueue>()

  async function queueOf (name: string, prefix: string): Promise<BullQueue> {
    const key = `${prefix}:${name}`
    const there = queues.get(key)
    if (there !== undefined) return there
    // A process that sends none of them does not load BullMQ for it.
    const { Queue } = await import('bullmq')
    const queue = queues.get(key) ?? new Queue(name, {
      connection: redis, prefix, skipVersionCheck: true, skipMetasUpdate: true
    })
    if (!queues.has(key)) queue.on('error', () => undefined)
    queues.set(key, queue)
    return queue
  }

  async function send (
    job: JobDefinition, items: ReadonlyArray<{ data: unknown, options?: LossyOptions }>
  ): Promise<Array<string | null>> {
    if (!isDeclared(job.name)) throw JobsError.unknown_job({ job: job.name })
    if (job.lossy !== true) throw new Error(`${job.name} is not declared lossy: it is added in a transaction`)
    const jobs = items.map(({ data, options = {} }) => toDelivery(job, data, options))
    try {
      if (redis.status !== 'ready') throw new Error('Redis is away')
      for (const [prefix, group] of Map.groupBy(jobs, ({ data: { w } }) => homeOf(job.queue, w))) {
        const queue = await queueOf(job.queue, prefix)
        const [one] = group
        // A bulk is a pipeline of its own: for one job that is twice the work.
        if (group.length === 1 && one !== undefined) await queue.add(one.name, one.data, one.opts)
        else await queue.addBulk(group)
      }
      return jobs.map(({ opts: { jobId } }) => jobId)
    } catch (err) {
      log.debug({ err, job: job.name }, 'lossy jobs are dropped')
      onDropped(jobs.length)
      return jobs.map(() => null)
    }
  }

  return {
    port: {
      addNow: async (job, data, options) => {
        const [id = null] = await send(job as unknown as JobDefinition, [{ data, ...(options && { options }) }])
        return id
      },
      addNowMany: async (job, items) => await send(job as unknown as JobDefinition, items)
    } satisfies Lossy as Lossy,
    async close (): Promise<void> {
      await Promise.allSettled([...queues.values()].map(async (queue) => { await queue.close() }))
    }
  }
}

function toDelivery (job: JobDefinition, data: unknown, options: LossyOptions) {
  checkPayload(job.name, job.data, data)
  const { lane = job.lane, delayMs } = options
  const trace = currentContext()?.trace
  const payload: LossyPayload = {
    j: job.name, v: job.version, d: data, w: workspaceOf(data, options), ...(trace === undefined ? {} : { t: trace })
  }
  return {
    name: lossyName,
    data: payload,
    opts: {
      jobId: `n-${randomUUID()}`,
      priority: priorityOf[lane as Lane],
      attempts: lossyStarts,
      backoff: { type: 'classified' },
      removeOnComplete: kept,
      removeOnFail: kept,
      ...(delayMs === undefined ? {} : { delay: delayMs })
    }
  }
}

/** The lane of a delivery, which says only how soon it goes. */
export const laneOf = (priority: number): Lane => lanes.find((lane) => priorityOf[lane] === priority) ?? 'default'

/** A start that failed and may be tried again; BullMQ asks the error how long to wait. */
export class LossyRetry extends Error {
  override readonly name = 'LossyRetry'
  readonly afterMs: number

  constructor (afterMs: number, message: string) {
    super(message)
    this.afterMs = afterMs
  }
}

/** How long BullMQ waits before the next start; -1 is never. */
export function lossyBackoff (_made: number, _type?: string, error?: Error): number {
  return error instanceof LossyRetry ? error.afterMs : -1
}

interface RunParts {
  boundOf: (name: string) => Bound | undefined
  jobs: JobSender
  tx: Tx
  clock: { now: () => Date, ms: () => number }
  log: Log
  metrics: {
    started: (run: Place) => void
    ended: (run: Place, cause: string, startedMs: number) => void
  }
}

type Place = Pick<RunRow, 'name' | 'queue' | 'lane'>

export interface LossyDelivery extends Omit<Place, 'name'> { id: string, payload: LossyPayload, attempt: number }

/** Runs lossy deliveries; the taxonomy of retries is the one of all runs, cut off after three starts. */
export function createLossyRunner ({ boundOf, jobs, tx, clock, log, metrics }: RunParts) {
  return async ({ id, payload, attempt, queue, lane }: LossyDelivery): Promise<string> => {
    const startedMs = performance.now()
    const { j: name, v, d, w: workspaceId, t: trace } = payload
    const bound = boundOf(name)
    if (bound === undefined || bound.version < v) throw new LossyRetry(5000, 'no handler of this version')
    metrics.started({ name, queue, lane })
    const timer = AbortSignal.timeout(bound.policy.timeoutMs)
    try {
      const data = bound.read(v, d)
      const ctx = lossyContext({ id, name, workspaceId, data, attempt, signal: timer, tx, clock, jobs, log })
      const settled = await settle({
        context: { cause: { kind: 'run', id }, attempt, signal: timer, ...(trace === undefined ? {} : { trace }) },
        work: async () => await bound.run(ctx),
        giveUpMs,
        onIgnored: () => undefined
      })
      if ('error' in settled) throw settled.error
      metrics.ended({ name, queue, lane }, 'done', startedMs)
      return 'done'
    } catch (error) {
      const said = classify(error, clock.ms())
      metrics.ended({ name, queue, lane }, said.cause, startedMs)
      const verdict = judge(said, { attempt, conflicts: 0, hasSteps: false, timeouts: 0 }, bound.policy)
      if (error instanceof LossyRetry) throw error
      if (verdict.kind === 'again') throw new LossyRetry(Math.max(1, verdict.afterMs), said.code)
      throw error
    }
  }
}

interface LossyStart {
  id: string
  name: string
  workspaceId: string
  data: unknown
  attempt: number
  signal: AbortSignal
  tx: Tx
  clock: { now: () => Date, ms: () => number }
  jobs: JobSender
  log: Log
}

/** The same verbs as any run has, without a run in the store to guard them: nothing here counts exactly once. */
function lossyContext (start: LossyStart): JobContext {
  const { id, name, workspaceId, data, attempt, signal, tx, clock, jobs, log } = start
  return {
    run: { id, name, workspaceId, data, attempt, createdAt: clock.now() },
    actor: systemActor(name, workspaceId, null),
    signal,
    attempt,
    deadlineAt: null,
    log,
    progress: () => undefined,
    commit: async (work) => await tx(work),
    checkpoint: async (work) => await tx(work),
    step: async (_name, work) => await work(),
    spawn: async (job, child, options) => await tx(async (session) => await jobs.add(session, job, child, options)),
    wait (until) { throw new LossyRetry(Math.max(1, msUntil(until, clock)), 'waits') }
  }
}

function msUntil (until: Date | number, clock: { ms: () => number }): number {
  return until instanceof Date ? until.getTime() - clock.ms() : until
}
