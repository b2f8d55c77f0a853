const mostNetworks = 50_000
const share = 0.01

/**
 * The calls that a network may make before the limiter is asked again: like the slices of the class buckets, so that
 * most calls cost one look-up. A slice is a hundredth of the limit; with a small limit every call asks.
 */
export function createSlices (perMinute: number) {
  const left = new Map<string, { calls: number }>()
  const size = Math.max(1, Math.floor(perMinute * share))
  return {
    /** Slices a minute. */
    limit: Math.floor(perMinute / size),

    /** Takes a call out of what a network has left; false where that is nothing. */
    take (network: string): boolean {
      const slice = left.get(network)
      if (slice === undefined || slice.calls === 0) return false
      slice.calls--
      return true
    },

    /** A new slice, of which the call that asked for it is the first. */
    grant (network: string): void {
      const slice = left.get(network)
      // Calls that asked at the same time have each paid for a slice.
      if (slice !== undefined) slice.calls += size - 1
      else {
        if (left.size >= mostNetworks) left.clear()
        left.set(network, { calls: size - 1 })
      }
    }
  }
}

export type Slices = ReturnType<typeof createSlices>
