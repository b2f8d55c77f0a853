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

const mostKeys = 200_000

/** Buckets in the memory of this process (GCRA): one number a key, forgotten once it is full again. */
export function createBuckets (nowMs: () => number) {
  const fullAt = new Map<string, number>()

  function sweep (now: number): void {
    for (const [key, at] of fullAt) if (at <= now) fullAt.delete(key)
    // More live keys than memory for them: the oldest go, which only helps their owners.
    for (const key of fullAt.keys()) {
      if (fullAt.size <= mostKeys * 0.9) break
      fullAt.delete(key)
    }
  }

  return {
    take (policy: Policy, key: string, cost = 1): Taken {
      const now = nowMs()
      const stepMs = 1000 / policy.perSecond
      const roomMs = policy.burst * stepMs
      const name = `${policy.name} ${key}`
      const next = Math.max(fullAt.get(name) ?? 0, now) + cost * stepMs
      const overMs = next - now - roomMs
      // What is refused needed more than there is: for calls of this cost nothing is left.
      if (overMs > 0) return { isAllowed: false, left: 0, retryAfterMs: Math.ceil(overMs) }
      if (fullAt.size >= mostKeys) sweep(now)
      fullAt.set(name, next)
      return { isAllowed: true, left: Math.floor(-overMs / stepMs + 1e-6), retryAfterMs: 0 }
    },

    /** Gives a call back that should not have counted. */
    refund (policy: Policy, key: string, cost = 1): void {
      const name = `${policy.name} ${key}`
      const at = fullAt.get(name)
      if (at !== undefined) fullAt.set(name, at - cost * 1000 / policy.perSecond)
    }
  }
}

export type Buckets = ReturnType<typeof createBuckets>
