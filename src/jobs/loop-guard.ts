/** A worker whose event loop lags takes less work: it could not renew the locks of what it has (`jobs.md` 4.3). */
export interface LoopGuardInput {
  /** Concurrency of the queue by its rhythm. */
  most: number
  current: number
  /** p99 lag of the event loop since the last look. */
  lagMs: number
  lockMs: number
}

/** The next concurrency: a step of 5 % down while the lag is above a fifth of the lock, up again afterwards; pure. */
export function nextConcurrency ({ most, current, lagMs, lockMs }: LoopGuardInput): number {
  const step = Math.max(1, Math.round(most * 0.05))
  return lagMs > lockMs / 5 ? Math.max(1, current - step) : Math.min(most, current + step)
}
