import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RunRow } from '../../src/jobs/index.ts'
import { createDeathMetrics } from './death-metrics.ts'

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** A lossy job is not due at a time. */
export type StartedRun = Pick<RunRow, 'name' | 'queue' | 'lane'> & Partial<Pick<RunRow, 'runAt' | 'startedAt'>>

/** What is counted of the queues (`jobs.md` 4.8). */
export function createQueueMetrics (metrics: Registry) {
  const registers = [metrics]
  const labelNames = ['queue', 'lane'] as const
  const released = new Counter({
    name: 'switchyard_jobs_released_total', help: 'Runs handed to Redis', labelNames: ['queue'], registers
  })
  const arrivals = new Counter({
    name: 'switchyard_jobs_arrivals_total', help: 'Runs that were added', labelNames, registers
  })
  const starts = new Counter({ name: 'switchyard_jobs_starts_total', help: 'Starts of runs', labelNames, registers })
  const outcomes = new Counter({
    name: 'switchyard_jobs_outcomes_total', help: 'Ended starts by class', labelNames: [
      ...labelNames, 'class'
    ], registers
  })
  const wait = new Histogram({
    name: 'switchyard_jobs_wait_seconds', help: 'From due to start', labelNames, buckets: seconds, registers
  })
  const run = new Histogram({
    name: 'switchyard_jobs_run_seconds', help: 'From start to outcome', labelNames, buckets: seconds, registers
  })
  const superseded = new Counter({
    name: 'switchyard_jobs_superseded_total', help: 'Late outcomes that matched nothing', registers
  })
  const crashes = new Counter({
    name: 'switchyard_jobs_crashes_total', help: 'Runs taken back from dead workers', registers
  })
  const solo = new Counter({
    name: 'switchyard_jobs_solo_total', help: 'Starts in a process of their own', registers
  })
  const dropped = new Counter({
    name: 'switchyard_jobs_dropped_total', help: 'Lossy jobs that Redis did not take', registers
  })
  const lag = new Gauge({
    name: 'switchyard_jobs_lag_seconds', help: 'Age of the oldest due run that nothing holds', registers
  })
  const deaths = createDeathMetrics(metrics)
  const batch = new Histogram({
    name: 'switchyard_jobs_relay_batch', help: 'Runs handed to Redis in one pass', labelNames: ['queue'],
    buckets: [1, 3, 10, 30, 100, 300, 1000, 3000], registers
  })

  return {
    released (queue: string, count: number): void {
      released.inc({ queue }, count)
      batch.observe({ queue }, count)
    },
    arrived (queue: string, lane: string, count: number): void { arrivals.inc({ queue, lane }, count) },
    started ({ queue, lane, runAt, startedAt }: StartedRun): void {
      deaths.expect(queue)
      starts.inc({ queue, lane })
      if (runAt !== undefined && startedAt !== undefined) {
        wait.observe(
          { queue, lane }, Math.max(0, startedAt.getTime() - runAt.getTime()) / 1000
        )
      }
    },
    ended ({ queue, lane }: Pick<RunRow, 'name' | 'queue' | 'lane'>, cause: string, startedMs: number): void {
      outcomes.inc({ queue, lane, class: cause })
      run.observe({ queue, lane }, (performance.now() - startedMs) / 1000)
    },
    died: deaths.died,
    superseded: (count: number) => { superseded.inc(count) },
    crashed: () => { crashes.inc() },
    solo: () => { solo.inc() },
    dropped: (count: number) => { dropped.inc(count) },
    lag: (ms: number) => { lag.set(ms / 1000) }
  }
}

export type QueueMetrics = ReturnType<typeof createQueueMetrics>
