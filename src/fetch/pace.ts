import type { RowChange } from './repository.ts'

const tickMs = 450
const richMs = 2000
const richBytes = 16 * 1024 * 1024
/** Weight of the newest measure. */
const alpha = 0.4

export interface Tick {
  change: Pick<RowChange, 'rate' | 'etaMs'>
  /** Time to write the hashes of pieces too. */
  isRich: boolean
}

/** Says when progress is worth a write: about twice a second, with rate and remaining time. */
export function createPace (): (bytes: number, total: number | null) => Tick | undefined {
  let lastMs = performance.now()
  let richAt = { ms: lastMs, bytes: 0 }
  let lastBytes: number | undefined
  let rate: number | undefined
  return (bytes, total) => {
    lastBytes ??= bytes
    const now = performance.now()
    if (now - lastMs < tickMs) return undefined
    // A clean restart begins below.
    const measured = Math.max(0, bytes - lastBytes) / (now - lastMs) * 1000
    rate = rate === undefined ? measured : alpha * measured + (1 - alpha) * rate
    lastMs = now
    lastBytes = bytes
    const isRich = now - richAt.ms >= richMs || Math.abs(bytes - richAt.bytes) >= richBytes
    if (isRich) richAt = { ms: now, bytes }
    const etaMs = total === null || rate < 1 ? null : Math.round((total - bytes) / rate * 1000)
    return { isRich, change: { rate: Math.round(rate), etaMs } }
  }
}
