import { lanes, type Lane } from '../kernel/index.ts'

/** A worker that claims ahead and acknowledges beside its writes has this much of a hot queue on its way. */
const windowS = 0.4

const weights: Record<Lane, number> = { interactive: 8, default: 3, bulk: 1 }

export interface WindowInput {
  /** Summed concurrency of the living workers of the queue. */
  concurrency: number
  startsPerSec: number
  /** Runs of the queue that are published or running. */
  live: number
  /** What goes next is known without a look. */
  isKnown?: boolean
}

/**
 * How many runs may be released now: the window is filled when a third is free, an eighth where that takes no look, or
 * it is below the concurrency. Whoever comes while many are released waits for all of them.
 */
export function freePlaces (
  { concurrency, startsPerSec, live, isKnown = false }: WindowInput
): { free: number, extra: number, size: number } {
  if (concurrency === 0) return { free: 0, extra: 0, size: 0 }
  const size = Math.max(10, 3 * concurrency, Math.ceil(startsPerSec * windowS))
  const free = Math.max(0, size - live)
  const isWorthIt = free >= size / (isKnown ? 8 : 3) || live < concurrency
  return { free: isWorthIt ? free : 0, extra: Math.max(0, Math.ceil(size * 1.25) - live), size }
}

/** Shares free places over the lanes 8 : 3 : 1; what a lane does not need goes to the others, the most urgent first. */
export function shareLanes (free: number, waiting: Record<Lane, number>): Record<Lane, number> {
  const shares: Record<Lane, number> = { interactive: 0, default: 0, bulk: 0 }
  const sum = lanes.reduce((total, lane) => total + (waiting[lane] > 0 ? weights[lane] : 0), 0)
  let left = free
  for (const lane of lanes) {
    shares[lane] = sum === 0 ? 0 : Math.min(waiting[lane], Math.floor(free * weights[lane] / sum))
    left -= shares[lane]
  }
  for (const lane of lanes) {
    const more = Math.min(left, waiting[lane] - shares[lane])
    shares[lane] += more
    left -= more
  }
  return shares
}

/** Shares what is over the window among those who may exceed it, the most urgent first. */
export function shareQuarter (extra: number, waiting: Record<Lane, number>): Record<Lane, number> {
  const interactive = Math.min(waiting.interactive, extra)
  const middle = Math.min(waiting.default, extra - interactive)
  return { interactive, default: middle, bulk: Math.min(waiting.bulk, extra - interactive - middle) }
}
