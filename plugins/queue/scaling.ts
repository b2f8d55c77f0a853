import { Gauge, type Registry as Metrics } from 'prom-client'
import {
  arrivalsOf, rhythms, soonMs, wantedOf, type LoadRepository, type Wanted, type WorkerRepository, type WorkerRow
} from '../../src/jobs/index.ts'
import type { Clock, ProcessId, Queue } from '../../src/kernel/index.ts'

const freshMs = 2000
const livingMs = 10_000
/** What a run takes where none was seen yet. */
const unknownRunS = 1

interface Parts {
  load: LoadRepository
  workers: WorkerRepository
  clock: Clock
  drainS: number
  isGone: (process: ProcessId) => boolean
  queues: () => readonly Queue[]
  /** Names of the jobs that run in a queue. */
  jobsOf: (queue: Queue) => readonly string[]
}

export type Scaling = () => Promise<Wanted[]>

/** How many processes each used queue asks for; asked more often than every two seconds it answers from memory. */
export function createScaling ({ load, workers, clock, drainS, isGone, queues, jobsOf }: Parts): Scaling {
  const before = new Map<Queue, { backlog: number, atMs: number }>()
  const runS = new Map<Queue, number>()
  let last: { atMs: number, answer: Promise<Wanted[]> } | undefined

  async function isDueSoon (queue: Queue, nowMs: number): Promise<boolean> {
    const until = new Date(nowMs + soonMs)
    return await load.isDueUntil(queue, until) || await load.isSlotDueUntil(jobsOf(queue), until)
  }

  /** `live`: without the canaries that are due or live. */
  async function one (queue: Queue, rows: readonly WorkerRow[], live: number): Promise<Wanted> {
    const atMs = clock.ms()
    const consuming = rows.filter((row) => (row.queues[queue] ?? 0) > 0)
    const rates = consuming.flatMap((row) => row.rates?.[queue] ?? [])
    const perS = rates.reduce((sum, rate) => sum + rate.endsPerS, 0)
    if (perS > 0) runS.set(queue, rates.reduce((sum, rate) => sum + rate.meanRunMs * rate.endsPerS, 0) / perS / 1000)
    const backlog = Math.max(0, await load.due(queue, clock.now()) + live)
    const arrivalsPerS = arrivalsOf(perS, { backlog, atMs }, before.get(queue))
    before.set(queue, { backlog, atMs })
    return wantedOf({
      queue,
      meanRunS: runS.get(queue) ?? unknownRunS,
      arrivalsPerS,
      backlog,
      drainS,
      concurrency: rhythms[queue].concurrency,
      isDueSoon: backlog > 0 || await isDueSoon(queue, atMs),
      current: consuming.length
    })
  }

  async function evaluate (): Promise<Wanted[]> {
    const [all, live, canaries] = await Promise.all([workers.list(), load.live(), load.canaries(clock.now())])
    const living = all.filter((row) => !isGone(row) && clock.ms() - row.seenAt.getTime() < livingMs)
    const liveOf = (queue: Queue): number =>
      live.reduce((sum, of) => of.queue === queue ? sum + of.count : sum, -(canaries.get(queue) ?? 0))
    return await Promise.all(queues().map(async (queue) => await one(queue, living, liveOf(queue))))
  }

  return async () => {
    const nowMs = performance.now()
    if (last === undefined || nowMs - last.atMs > freshMs) {
      const answer = evaluate()
      last = { atMs: nowMs, answer }
      answer.catch(() => { last = undefined })
    }
    return await last.answer
  }
}

/** The same signal for Prometheus. */
export function exposeScaling (metrics: Metrics, scaling: Scaling): void {
  const required = new Gauge({
    name: 'switchyard_jobs_workers_required',
    help: 'Processes that a queue asks for',
    labelNames: ['queue'],
    registers: [],
    async collect () {
      // A store that is away leaves the last signal standing: nobody should scale on it.
      const wanted = await scaling().catch(() => [])
      for (const one of wanted) this.set({ queue: one.queue }, one.required)
    }
  })
  metrics.registerMetric(required)
}
