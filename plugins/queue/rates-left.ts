import { burstOf, refill, type Bucket, type Share } from '../../src/jobs/index.ts'

/** Starts that the rates of workspaces have left, as this keeper counts them. */
export function createRatesLeft () {
  const buckets = new Map<string, Bucket>()
  return {
    /** Whole starts of a workspace with a rate of so many a minute. */
    of (workspaceId: string, perMin: number, nowMs: number): number {
      const before = buckets.get(workspaceId) ?? { tokens: Infinity, atMs: nowMs }
      const bucket = refill(before, nowMs, perMin / 60, burstOf(perMin))
      buckets.set(workspaceId, bucket)
      return Math.floor(bucket.tokens)
    },
    use (workspaceId: string): void {
      const bucket = buckets.get(workspaceId)
      if (bucket !== undefined) bucket.tokens--
    }
  }
}

/** Whether an operator gave the workspace a cap or a rate. */
export const isLimited = ({ maxLive, perMin }: Partial<Share> = {}): boolean =>
  maxLive !== undefined || perMin !== undefined
