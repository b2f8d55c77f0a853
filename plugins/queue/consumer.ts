import { UnrecoverableError, Worker, type Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { rhythms } from '../../src/jobs/index.ts'
import type { Log, Queue } from '../../src/kernel/index.ts'
import type { Starts } from './claims.ts'
import type { Executor } from './execute.ts'

const kept = { age: 3600, count: 1000 }
const silentMs = 15_000
const silentAfterReconnectMs = 3000

interface Parts {
  queue: Queue
  connection: Redis
  prefix: string
  starts: Starts
  executor: Executor
  /** Has runs that were published so long ago delivered once more; how many there were. */
  deliverAgain: (queue: Queue, forMs: number) => Promise<number>
  log: Log
}

interface Payload { r: string, n: number }

/** The BullMQ worker of one queue; built anew when it falls silent although work is there. */
export function createConsumer ({ queue, connection, prefix, starts, executor, deliverAgain, log }: Parts) {
  const { concurrency, lockMs, stallMs } = rhythms[queue]
  let lastStartMs = performance.now()
  // A first connection is as suspicious as one that came back.
  let reconnectedMs = performance.now()
  let isClosing = false
  let busy = 0
  let worker = build()

  function build (): Worker<Payload> {
    const built = new Worker<Payload>(queue, work, {
      connection,
      prefix,
      concurrency,
      lockDuration: lockMs,
      stalledInterval: stallMs,
      maxStalledCount: 1,
      maxStartedAttempts: 3,
      drainDelay: 5,
      runRetryDelay: 1000,
      removeOnComplete: kept,
      removeOnFail: kept,
      skipVersionCheck: true
    })
    // Lost locks and connections: the store says what is true, so these are notes only.
    built.on('error', (err) => { log.debug({ err, queue }, 'queue worker') })
    return built
  }

  async function work (job: Job<Payload>): Promise<string> {
    lastStartMs = performance.now()
    busy++
    try {
      const { r: id, n: release } = job.data
      const run = await starts.claim(id, release, job.attemptsStarted > 1)
      if (run === undefined) return 'stale'
      const { isDone, cause, code } = await executor.execute(run)
      if (!isDone) throw new UnrecoverableError(`${cause} ${code}`)
      return cause
    } finally {
      busy--
    }
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
      const again = await deliverAgain(queue, limitMs)
      if (again === 0) return
      log.warn({ queue, again }, 'a queue worker fell silent and is built anew')
      const old = worker
      lastStartMs = nowMs
      worker = build()
      old.close(true).catch((err: unknown) => { log.debug({ err, queue }, 'old queue worker') })
    },

    /** Takes no more work. */
    async pause (): Promise<void> {
      isClosing = true
      await worker.pause(true)
    },
    async close (): Promise<void> { await worker.close() }
  }
}

export type Consumer = ReturnType<typeof createConsumer>
