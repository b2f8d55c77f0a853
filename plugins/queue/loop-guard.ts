import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nextConcurrency, rhythms } from '../../src/jobs/index.ts'
import type { Log } from '../../src/kernel/index.ts'
import type { Consumer } from './consumer.ts'

const lookMs = 1000

/** Lowers what a worker takes on while its event loop lags. */
export function createLoopGuard (consumers: readonly Consumer[], log: Log) {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  let timer: NodeJS.Timeout | undefined
  let worstMs = 0

  function look (): void {
    const lagMs = delay.percentile(99) / 1e6
    delay.reset()
    worstMs = Math.max(worstMs, lagMs)
    for (const consumer of consumers) {
      const { places: most, queue } = consumer
      const { lockMs } = rhythms[queue]
      const current = consumer.concurrency()
      const next = nextConcurrency({ most, current, lagMs, lockMs })
      if (next === current) continue
      if (next < current) log.warn({ queue, lagMs: Math.round(lagMs), concurrency: next }, 'the event loop lags')
      consumer.setConcurrency(next)
    }
  }

  return {
    start (): void {
      delay.enable()
      timer = setInterval(look, lookMs).unref()
    },
    /** The worst p99 lag since the last time this was asked. */
    takeWorstMs (): number {
      const ms = Math.round(worstMs)
      worstMs = 0
      return ms
    },
    stop (): void {
      clearInterval(timer)
      delay.disable()
    }
  }
}
