import { runCanary } from '../../src/jobs/index.ts'
import type { QueueMetrics } from './metrics.ts'

const bucketMs = 10_000
const buckets = 6

/** What a worker tells of a queue: starts and ends a second, and how long a run takes, over the last minute. */
export interface Rate { startsPerS: number, endsPerS: number, meanRunMs: number }

interface Bucket { starts: number, ends: number, ms: number }

/** How fast the runs of each queue go here. */
export function createRates (nowMs: () => number = () => performance.now()) {
  const bornMs = nowMs()
  const rings = new Map<string, Map<number, Bucket>>()
  const bucketNow = (): number => Math.floor(nowMs() / bucketMs)

  function bucketOf (queue: string): Bucket {
    const ring = rings.get(queue) ?? new Map<number, Bucket>()
    rings.set(queue, ring)
    const at = bucketNow()
    const bucket = ring.get(at) ?? { starts: 0, ends: 0, ms: 0 }
    ring.set(at, bucket)
    return bucket
  }

  return {
    started (queue: string): void { bucketOf(queue).starts++ },

    ended (queue: string, ms: number): void {
      const bucket = bucketOf(queue)
      bucket.ends++
      bucket.ms += ms
    },

    all (): Record<string, Rate> {
      const oldest = bucketNow() - buckets + 1
      // A worker that just came has no whole minute yet.
      const fromMs = Math.max(oldest * bucketMs, bornMs)
      const overS = Math.max(1, (nowMs() - fromMs) / 1000)
      const rates: Record<string, Rate> = {}
      for (const [queue, ring] of rings) {
        for (const at of ring.keys()) if (at < oldest) ring.delete(at)
        const sum = (of: keyof Bucket): number => ring.values().reduce((total, one) => total + one[of], 0)
        const ends = sum('ends')
        const meanRunMs = ends === 0 ? 0 : sum('ms') / ends
        if (ring.size > 0) rates[queue] = { startsPerS: sum('starts') / overS, endsPerS: ends / overS, meanRunMs }
      }
      return rates
    }
  }
}

/** Rates, and the same metrics, which tell them of every start and end but those of canaries: those are no work. */
export function createCounted (metrics: QueueMetrics) {
  const rates = createRates()
  const counted: QueueMetrics = {
    ...metrics,
    started (run) {
      if (run.name !== runCanary.name) rates.started(run.queue)
      metrics.started(run)
    },
    ended (run, cause, startedMs) {
      if (run.name !== runCanary.name) rates.ended(run.queue, performance.now() - startedMs)
      metrics.ended(run, cause, startedMs)
    }
  }
  return { rates, counted }
}
