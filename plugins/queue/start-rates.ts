/** Starts by queue over the last `turns` turns, for whoever looks at a worker from outside. */
export function createStartRates (turns: number) {
  let now: Record<string, number> = {}
  let past: Array<Record<string, number>> = []

  return {
    add (queue: string): void { now[queue] = (now[queue] ?? 0) + 1 },

    /** Ends a turn; the sums of the last ones. */
    turn (): Record<string, number> {
      past = [now, ...past].slice(0, turns)
      now = {}
      const sums: Record<string, number> = {}
      for (const [queue, count] of past.flatMap((one) => Object.entries(one))) sums[queue] = (sums[queue] ?? 0) + count
      return sums
    }
  }
}
