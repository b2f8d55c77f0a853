// How fast bytes may come: buckets for process, workspace and download (`jobs.md` 4.12); who is over a limit waits.
import { setTimeout as sleep } from 'node:timers/promises'

/** Bytes a second; 0: no limit. */
export interface Rates { process: number, workspace: number, download: number }

/** Takes `bytes` of an allowance that several processes share; answers for how long to wait, in ms. */
export type SharedBucket = (workspaceId: string, bytes: number, bytesPerS: number) => Promise<number>

/** Answers after the bytes may have come; undefined: at once. */
export type Admit = (bytes: number, signal: AbortSignal) => Promise<void> | undefined

export interface Flow {
  /** The gate of one transfer. */
  open (workspaceId: string): Admit
}

const burstMs = 250
/** Taken from the shared bucket at once, so that not every piece asks. */
const lumpMs = 250

/** Says how long to wait before `bytes` more are within the rate; a quarter of a second is free after a pause. */
export function createBucket (bytesPerS: number, nowMs: () => number = () => performance.now()) {
  // The instant up to which the rate is used up.
  let usedUntil = -Infinity
  return (bytes: number): number => {
    const now = nowMs()
    usedUntil = Math.max(usedUntil, now - burstMs) + bytes / bytesPerS * 1000
    return Math.max(0, usedUntil - now)
  }
}

export function createFlow (rates: Rates, shared?: SharedBucket): Flow {
  const whole = rates.process > 0 ? createBucket(rates.process) : undefined
  const tenants = createTenants(rates.workspace, shared)
  return {
    open (workspaceId) {
      const own = rates.download > 0 ? createBucket(rates.download) : undefined
      if (whole === undefined && own === undefined && tenants === undefined) return () => undefined
      return async (bytes, signal) => {
        const waits = [whole?.(bytes) ?? 0, own?.(bytes) ?? 0, await tenants?.(workspaceId, bytes) ?? 0]
        const waitMs = Math.max(...waits)
        if (waitMs >= 1) await sleep(waitMs, undefined, { signal })
      }
    }
  }
}

function createTenants (bytesPerS: number, shared?: SharedBucket) {
  if (bytesPerS <= 0) return undefined
  const local = new Map<string, (bytes: number) => number>()
  const credit = new Map<string, number>()
  const alone = (workspaceId: string, bytes: number): number => {
    const bucket = local.get(workspaceId) ?? createBucket(bytesPerS)
    local.set(workspaceId, bucket)
    return bucket(bytes)
  }
  return async (workspaceId: string, bytes: number): Promise<number> => {
    if (shared === undefined) return alone(workspaceId, bytes)
    const left = (credit.get(workspaceId) ?? 0) - bytes
    credit.set(workspaceId, left)
    if (left >= 0) return 0
    const lump = Math.max(-left, Math.ceil(bytesPerS * lumpMs / 1000))
    credit.set(workspaceId, left + lump)
    // Without the shared store each process keeps the rate for itself.
    return await shared(workspaceId, lump, bytesPerS).catch(() => alone(workspaceId, lump))
  }
}
