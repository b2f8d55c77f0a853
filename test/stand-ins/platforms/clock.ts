/** The clock of one world, milliseconds since 1970: it follows the real one until it is moved or frozen. */
export interface WorldClock {
  now (): number
  advance (ms: number): void
  freeze (): void
  thaw (): void
  reset (): void
}

/** A clock whose lives, windows and codes a test can let pass without waiting. */
export function createWorldClock (real: () => number = Date.now): WorldClock {
  let offset = 0
  let frozenAt: number | null = null
  return {
    now: () => frozenAt ?? real() + offset,
    advance (ms) {
      offset += ms
      if (frozenAt !== null) frozenAt += ms
    },
    freeze () { frozenAt ??= real() + offset },
    thaw () {
      if (frozenAt === null) return
      offset = frozenAt - real()
      frozenAt = null
    },
    reset () {
      offset = 0
      frozenAt = null
    }
  }
}
