import { monitorEventLoopDelay } from 'node:perf_hooks'
import { nextConcurrency, rhythms } from '../../src/jobs/index.ts'
import type { Log } from '../../src/kernel/index.ts'
import type { Consumer } from './consumer.ts'

const lookMs = 1000
/** Every sample wakes the process, idle or not; what is looked for are seconds. */
const sampleMs = 100

/** Lowers what a worker takes on while its event loop lags; whoever fills its queues hears of it. */
export function createLoopGuard (consumers: readonly Consumer[], log: Log, onChange: () => void) {
  const delay = monitorEventLoopDelay({ resolution: sampleMs })
  let timer: NodeJS.Timeout | undefined
  let worstMs = 0
  let lookedMs = 0

  function look (): void {
    // Of at most ten samples in a second the worst is the 99th percentile; each is the time since the one before.
    // A reset forgets a pause whose sample is still to come: how late this look is tells of it.
    const nowMs = performance.now()
    const lagMs = Math.max(delay.max / 1e6 - sampleMs, nowMs - lookedMs - lookMs)
    lookedMs = nowMs
    delay.reset()
    worstMs = Math.max(worstMs, lagMs)
    let isChanged = false
    for (const consumer of consumers) {
      const { places: most, queue } = consumer
      const { lockMs } = rhythms[queue]
      const current = consumer.concurrency()
      const next = nextConcurrency({ most, current, lagMs, lockMs })
      if (next === current) continue
      isChanged = true
      if (next < current) {
        log.warn({ queue, lagMs: Math.round(lagMs), concurrency: next }, 'the event loop lags')
      }
      consumer.setConcurrency(next)
    }
    if (isChanged) onChange()
  }

  return {
    start (): void {
      delay.enable()
      lookedMs = performance.now()
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
