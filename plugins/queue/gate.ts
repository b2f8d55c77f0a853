/** Measured so often before anything is claimed ahead. */
const fewest = 20
const smoothing = 1 / 32
/** What handlers take within this time is claimed before their places are free (`jobs.md` 4.3). */
const aheadMs = 20
const mostTurns = 3

export interface Gate {
  /** Waits for a place; false where none became free in time. */
  enter (withinMs: number): Promise<boolean>
  /** Gives a place back that a handler had for so long. */
  leave (tookMs: number): void
  /** So many runs may be claimed besides those that have a place. */
  ahead (): number
}

/** For a run that has its place already. */
export const openGate: Gate = { enter: async () => true, leave: () => undefined, ahead: () => 0 }

/** Places for handlers. What is claimed ahead waits here, first come first served. */
export function createGate (places: () => number): Gate {
  const waiting: Array<() => void> = []
  let used = 0
  let measured = 0
  let meanMs = aheadMs

  return {
    async enter (withinMs) {
      if (used < places()) {
        used++
        return true
      }
      return await new Promise((resolve) => {
        const pass = (): void => {
          clearTimeout(timer)
          used++
          resolve(true)
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(pass), 1)
          // They are not as quick as they were.
          meanMs = Math.max(meanMs, aheadMs)
          resolve(false)
        }, withinMs)
        waiting.push(pass)
      })
    },

    leave (tookMs) {
      used--
      measured++
      meanMs += (tookMs - meanMs) * smoothing
      while (used < places() && waiting.length > 0) waiting.shift()?.()
    },

    ahead () {
      if (measured < fewest || meanMs >= aheadMs) return 0
      return places() * Math.min(mostTurns, Math.floor(aheadMs / Math.max(meanMs, 1)))
    }
  }
}
