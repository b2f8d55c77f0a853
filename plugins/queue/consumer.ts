import { UnrecoverableError, Worker, type Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { rhythms, type RunRow } from '../../src/jobs/index.ts'
import type { Log, Queue } from '../../src/kernel/index.ts'
import { createBeyond } from './beyond.ts'
import type { Starts } from './claims.ts'
import type { Executor } from './execute.ts'
import type { Share } from './partitions.ts'
import { createGate } from './gate.ts'
import { createLine } from './line.ts'
import {
  LossyRetry, laneOf, lossyBackoff, lossyName, lossyStarts, type LossyDelivery, type LossyPayload
} from './lossy.ts'

const kept = { age: 3600, count: 1000 }
const silentMs = 15_000
const silentAfterReconnectMs = 3000
/** Built anew so often without a start: it is the process that is ill. */
const mostBuilds = 3

interface Parts {
  queue: Queue
  connection: Redis
  /** Which part of the queue it consumes, and with how many places. */
  share: Share
  starts: Starts
  executor: Executor
  runLossy: (delivery: LossyDelivery) => Promise<string>
  /** The worker stays silent whatever is done. */
  onSilent: () => void
  /** Has runs that were published so long ago delivered once more; how many there were. */
  deliverAgain: (queue: Queue, share: Share, forMs: number) => Promise<number>
  log: Log
}

interface Payload { r: string, n: number }

/** The BullMQ worker of a queue in one partition; built anew when it falls silent although work is there. */
export function createConsumer (parts: Parts) {
  const { queue, connection, share, starts, executor, runLossy, onSilent, deliverAgain, log } = parts
  const { lockMs, stallMs } = rhythms[queue]
  const { prefix } = share
  let { concurrency } = share
  let silentBuilds = 0
  const held = new Map<string, AbortController>()
  const line = createLine(connection, `${prefix}:${queue}`)
  let lastStartMs = performance.now()
  // A first connection is as suspicious as one that came back.
  let reconnectedMs = performance.now()
  let isClosing = false
  let busy = 0
  /** Outcomes on their way to the store whose deliveries are acknowledged. */
  let unwritten = 0
  const gate = createGate(() => concurrency)
  const beyond = createBeyond({
    starts, executor, places: () => concurrency, log,
    isOpen: () => !isClosing && gate.ahead() === 0
  })
  let worker = build()

  function build (): Worker<Payload | LossyPayload> {
    const built = new Worker<Payload | LossyPayload>(queue, work, {
      connection,
      prefix,
      concurrency: concurrency + gate.ahead(),
      lockDuration: lockMs,
      stalledInterval: stallMs,
      maxStalledCount: 1,
      maxStartedAttempts: lossyStarts,
      settings: { backoffStrategy: lossyBackoff },
      drainDelay: 5,
      runRetryDelay: 1000,
      removeOnComplete: kept,
      removeOnFail: kept,
      skipVersionCheck: true
    })
    // Lost locks and connections: the store says what is true, so these are notes only.
    built.on('error', (err) => { log.debug({ err, queue }, 'queue worker') })
    built.on('lockRenewalFailed', (ids) => {
      abortLost(ids).catch((err: unknown) => { log.debug({ err, queue }, 'lost locks') })
    })
    return built
  }

  /** Ends what somebody else may be given. Where Redis was emptied there is nobody: the fence decides, work goes on. */
  async function abortLost (ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      if (await connection.exists(`${prefix}:${queue}:${id}`) === 1) held.get(id)?.abort()
    }
  }

  async function workLossy (job: Job<LossyPayload>): Promise<string> {
    try {
      const { id = '', data: payload, attemptsMade: attempt, priority } = job
      return await runLossy({ id, payload, attempt, queue, lane: laneOf(priority) })
    } catch (error) {
      if (error instanceof LossyRetry) throw error
      throw new UnrecoverableError(error instanceof Error ? error.message : String(error))
    }
  }

  async function work (job: Job<Payload | LossyPayload>): Promise<string> {
    lastStartMs = performance.now()
    silentBuilds = 0
    busy++
    const lost = new AbortController()
    try {
      if (job.name === lossyName) return await workLossy(job as Job<LossyPayload>)
      held.set(job.id ?? '', lost)
      const { r: id, n: release } = job.data as Payload
      const run = await starts.claim(id, release, job.attemptsStarted > 1)
      if (run === undefined) return 'stale'
      return await acknowledged(run, lost.signal)
    } finally {
      held.delete(job.id ?? '')
      busy--
      adjust()
    }
  }

  /** Ends the delivery beside the write of its outcome, unless too many of those are on their way. */
  async function acknowledged (run: RunRow, lost: AbortSignal): Promise<string> {
    return await new Promise((resolve, reject: (reason: unknown) => void) => {
      let isAhead = false
      function onHandled (): void {
        if (unwritten >= 4 * concurrency) return
        isAhead = true
        unwritten++
        resolve('done')
      }
      executor.execute(run, { lost, gate, onHandled }).then(({ isDone, cause, code }) => {
        line.gaveBack(code)
        if (isDone) resolve(cause)
        else reject(new UnrecoverableError(`${cause} ${code}`))
      }).catch((err: unknown) => {
        if (isAhead) log.warn({ err, run: run._id }, 'the outcome of a run was not written')
        reject(err)
      }).finally(() => { if (isAhead) unwritten-- })
    })
  }

  /** Takes as much from Redis as there are places and as may be claimed ahead. */
  function adjust (): void {
    const next = concurrency + gate.ahead()
    if (worker.concurrency !== next) worker.concurrency = next
  }

  return {
    queue,
    /** Redis was away: a blocked read may never come back. */
    redisCameBack () { reconnectedMs = performance.now() },

    /**
     * Mends a worker that starts nothing although published work waits: it is built anew (BullMQ #648, #2466, #2964),
     * and the work gets a new release, since Redis may have given the old one away in an answer that was lost.
     */
    async watch (): Promise<void> {
      const nowMs = performance.now()
      const limitMs = nowMs - reconnectedMs < 60_000 ? silentAfterReconnectMs : silentMs
      if (isClosing || busy >= concurrency || connection.status !== 'ready' || nowMs - lastStartMs < limitMs) return
      const again = await deliverAgain(queue, share, limitMs)
      if (again === 0) return
      log.warn({ queue, again }, 'a queue worker fell silent and is built anew')
      if (++silentBuilds >= mostBuilds) onSilent()
      const old = worker
      lastStartMs = nowMs
      worker = build()
      old.close(true).catch((err: unknown) => { log.debug({ err, queue }, 'old queue worker') })
    },

    /** Places that it has, and how many of them it uses now. */
    places: share.concurrency,
    concurrency: () => concurrency,
    setConcurrency (next: number): void {
      concurrency = next
      adjust()
    },

    startBeyond: beyond.start,

    /** Takes no more work. */
    async pause (): Promise<void> {
      isClosing = true
      await worker.pause(true)
    },
    async close (): Promise<void> { await Promise.all([worker.close(), beyond.settled()]) }
  }
}

export type Consumer = ReturnType<typeof createConsumer>
