export interface Policy {
  name: string
  burst: number
  perSecond: number
}

export interface Taken {
  isAllowed: boolean
  /** What is left for calls of this cost. */
  left: number
  /** Milliseconds until a refused call would pass. */
  retryAfterMs: number
}

interface Bucket { fullAt: number }

const mostKeys = 200_000

/** Buckets of one policy in the memory of this process (GCRA): one number a key, forgotten once it is full again. */
export function createBuckets ({ burst, perSecond }: Policy) {
  const buckets = new Map<string, Bucket>()
  const stepMs = 1000 / perSecond
  const roomMs = burst * stepMs

  function add (key: string, now: number): Bucket {
    if (buckets.size >= mostKeys) sweep(buckets, now)
    const bucket = { fullAt: 0 }
    buckets.set(key, bucket)
    return bucket
  }

  return {
    /** `now` by the monotonic timer of the process. */
    take (key: string, now: number, cost = 1): Taken {
      const bucket = buckets.get(key) ?? add(key, now)
      const next = Math.max(bucket.fullAt, now) + cost * stepMs
      const overMs = next - now - roomMs
      // What is refused needed more than there is: for calls of this cost nothing is left.
      if (overMs > 0) return { isAllowed: false, left: 0, retryAfterMs: Math.ceil(overMs) }
      bucket.fullAt = next
      return { isAllowed: true, left: Math.floor(-overMs / stepMs + 1e-6), retryAfterMs: 0 }
    },

    /** Gives a call back that should not have counted. */
    refund (key: string, cost = 1): void {
      const bucket = buckets.get(key)
      if (bucket !== undefined) bucket.fullAt -= cost * stepMs
    }
  }
}

function sweep (buckets: Map<string, Bucket>, now: number): void {
  for (const [key, { fullAt }] of buckets) if (fullAt <= now) buckets.delete(key)
  // More live keys than memory for them: the oldest go, which only helps their owners.
  for (const key of buckets.keys()) {
    if (buckets.size <= mostKeys * 0.9) break
    buckets.delete(key)
  }
}

export type Buckets = ReturnType<typeof createBuckets>
