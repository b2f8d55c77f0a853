import type { RowChange } from './repository.ts'

const tickMs = 450
const richMs = 2000
/** Weight of the newest measure. */
const alpha = 0.4

export interface Tick {
  change: RowChange
  /** Time to write the hashes of pieces too. */
  isRich: boolean
}

/** Says when progress is worth a write: about twice a second, with rate and remaining time. */
export function createPace (total: number | null): (bytes: number) => Tick | undefined {
  let lastMs = performance.now()
  let richAt = lastMs
  let lastBytes: number | undefined
  let rate: number | undefined
  return (bytes) => {
    lastBytes ??= bytes
    const now = performance.now()
    if (now - lastMs < tickMs) return undefined
    const measured = (bytes - lastBytes) / (now - lastMs) * 1000
    rate = rate === undefined ? measured : alpha * measured + (1 - alpha) * rate
    lastMs = now
    lastBytes = bytes
    const isRich = now - richAt >= richMs
    if (isRich) richAt = now
    const etaMs = total === null || rate < 1 ? null : Math.round((total - bytes) / rate * 1000)
    return { isRich, change: { rate: Math.round(rate), etaMs } }
  }
}
