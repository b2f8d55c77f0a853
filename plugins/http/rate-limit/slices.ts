const mostAddresses = 50_000
const share = 0.01

/**
 * The calls that an address may make before the limiter is asked again: like the slices of the class buckets, so that
 * most calls cost one look-up. A slice is a hundredth of the limit; with a small limit every call asks.
 */
export function createSlices (perMinute: number) {
  const left = new Map<string, { calls: number }>()
  const size = Math.max(1, Math.floor(perMinute * share))
  return {
    /** Slices a minute. */
    limit: Math.floor(perMinute / size),

    /** Takes a call out of the slice of an address; false where none is left. */
    take (ip: string): boolean {
      const slice = left.get(ip)
      if (slice === undefined || slice.calls === 0) return false
      slice.calls--
      return true
    },

    /** A new slice, of which the call that asked for it is the first. */
    grant (ip: string): void {
      if (left.size >= mostAddresses) left.clear()
      left.set(ip, { calls: size - 1 })
    }
  }
}

export type Slices = ReturnType<typeof createSlices>
