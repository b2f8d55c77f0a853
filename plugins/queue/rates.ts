const bucketMs = 10_000
const buckets = 6

/** What a worker tells of a queue: ends a second, and how long a run takes, over the last minute. */
export interface Rate { perS: number, meanRunMs: number }

interface Bucket { count: number, ms: number }

/** How fast the runs of each queue go here. */
export function createRates (nowMs: () => number = () => performance.now()) {
  const bornMs = nowMs()
  const rings = new Map<string, Map<number, Bucket>>()
  const bucketNow = (): number => Math.floor(nowMs() / bucketMs)

  return {
    ended (queue: string, ms: number): void {
      const ring = rings.get(queue) ?? new Map<number, Bucket>()
      rings.set(queue, ring)
      const at = bucketNow()
      const bucket = ring.get(at) ?? { count: 0, ms: 0 }
      ring.set(at, { count: bucket.count + 1, ms: bucket.ms + ms })
    },

    all (): Record<string, Rate> {
      const oldest = bucketNow() - buckets + 1
      // A worker that just came has no whole minute yet.
      const fromMs = Math.max(oldest * bucketMs, bornMs)
      const overS = Math.max(1, (nowMs() - fromMs) / 1000)
      const rates: Record<string, Rate> = {}
      for (const [queue, ring] of rings) {
        for (const at of ring.keys()) if (at < oldest) ring.delete(at)
        const count = [...ring.values()].reduce((sum, one) => sum + one.count, 0)
        const ms = [...ring.values()].reduce((sum, one) => sum + one.ms, 0)
        if (count > 0) rates[queue] = { perS: count / overS, meanRunMs: ms / count }
      }
      return rates
    }
  }
}
