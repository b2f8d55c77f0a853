import type { Clock } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import type { ShareRepository } from './repository.ts'

export const defaultBacklog = 1_000_000
/** Below so many adds of a process nobody counts. */
const unsuspicious = 1000
const retryAfterMs = 10_000
/** Other processes add too: each may use so much of what is left before it counts anew. */
const processes = 8
const limitMs = 60_000
const mostSeen = 10_000

interface Seen {
  limit: number
  sinceThen: number
  mayAdd: number
  fullUntilMs: number
  /** When the limit is read again. */
  staleAtMs: number
}

/**
 * Refuses what a workspace adds beyond its backlog. Counted is only after a thousand adds of this process, then after
 * an eighth of what is left: a workspace in order costs nothing, and many processes exceed the limit by little.
 */
export function createBacklogGuard ({ shares, clock }: { shares: ShareRepository, clock: Clock }) {
  const seen = new Map<string, Seen>()

  async function meet (workspaceId: string): Promise<Seen> {
    const limit = (await shares.find(workspaceId))?.maxBacklog ?? defaultBacklog
    const before = seen.get(workspaceId)
    const staleAtMs = clock.ms() + limitMs
    if (before !== undefined && before.limit === limit) return Object.assign(before, { staleAtMs })
    if (limit < defaultBacklog) return await count(workspaceId, limit)
    if (seen.size > mostSeen) seen.clear()
    const one = { limit, sinceThen: 0, mayAdd: unsuspicious, fullUntilMs: 0, staleAtMs }
    seen.set(workspaceId, one)
    return one
  }

  async function count (workspaceId: string, limit: number): Promise<Seen> {
    const waiting = await shares.backlog(workspaceId, limit)
    const nowMs = clock.ms()
    const one = {
      limit,
      sinceThen: 0,
      mayAdd: Math.ceil((limit - waiting) / processes),
      fullUntilMs: waiting >= limit ? nowMs + retryAfterMs : 0,
      staleAtMs: nowMs + limitMs
    }
    seen.set(workspaceId, one)
    return one
  }

  return {
    /** Called before runs are written; throws `jobs.backlog_full`. */
    async check (workspaceId: string, adds: number): Promise<void> {
      let one = seen.get(workspaceId)
      if (one === undefined || one.staleAtMs <= clock.ms()) one = await meet(workspaceId)
      const isOver = one.fullUntilMs > 0 && one.fullUntilMs <= clock.ms()
      if (isOver || (one.fullUntilMs === 0 && one.sinceThen >= one.mayAdd)) one = await count(workspaceId, one.limit)
      if (one.fullUntilMs > 0) {
        throw JobsError.backlog_full({ workspaceId, limit: one.limit }, {
          retryAfterMs: Math.max(1, Math.ceil(one.fullUntilMs - clock.ms()))
        })
      }
      one.sinceThen += adds
    }
  }
}

export type BacklogGuard = ReturnType<typeof createBacklogGuard>
