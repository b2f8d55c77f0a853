import type { Clock } from '../kernel/index.ts'
import { leftOf, refillMs } from './fair.ts'
import type { ShareRepository } from './repository.ts'
import type { RunRow } from './run.ts'

/** Limits of a workspace that keep its runs back. No run carries one: it is told when somebody asks. */
export type LimitHold = 'workspace_cap' | 'workspace_rate'

/** MongoDB's `MaxTimeMSExpired`. */
const timeExceeded = 50

type Waiting = Pick<RunRow, 'state' | 'heldBy' | 'runAt' | 'queue' | 'workspaceId'>

/**
 * Which limit of its workspace keeps a due run back that nothing else holds. The cap is counted; the rate is judged by
 * the starts that the store still knows, so that one about to be lifted may be told a moment too long.
 */
export function createLimits ({ shares, clock }: { shares: ShareRepository, clock: Clock }) {
  async function limitOf (run: Waiting): Promise<LimitHold | undefined> {
    const { state, heldBy, runAt, queue, workspaceId } = run
    const nowMs = clock.ms()
    if (state !== 'pending' || heldBy !== null || runAt.getTime() > nowMs) return undefined
    const { maxLive, perMin } = await shares.find(workspaceId) ?? {}
    if (maxLive !== undefined && await shares.live(workspaceId, queue) >= maxLive) return 'workspace_cap'
    if (perMin === undefined) return undefined
    // An empty bucket is full after one such time: what was before both cannot matter.
    const starts = await shares.starts(workspaceId, nowMs - 2 * refillMs(perMin), nowMs)
    return leftOf(starts, perMin, nowMs) < 1 ? 'workspace_rate' : undefined
  }

  /** Undefined too where finding it out takes too long: a run is shown without it. */
  return async (run: Waiting): Promise<LimitHold | undefined> => await limitOf(run).catch((err: unknown) => {
    if (err instanceof Error && 'code' in err && err.code === timeExceeded) return undefined
    throw err
  })
}
