import type { RelayRepository } from '../../src/jobs/index.ts'
import type { Clock, Queue } from '../../src/kernel/index.ts'

const most = 100
/** Where nothing was heard of: a message may have been lost, and then a run is late by a poll at most. */
const againMs = 2000

/** The next dated runs: the keeper wakes for each at its time, and looks at its queue alone. */
export function createUpcoming ({ runs, clock }: { runs: RelayRepository, clock: Clock }) {
  let dated: Array<{ queue: Queue, runAt: Date }> = []
  let isAll = false
  /** There may be others than those that were read. */
  let isStale = true
  let readMs = 0

  return {
    /** Something was heard of a run. */
    doubt (): void { isStale = true },

    /**
     * Reads anew at a poll, where there may be others, and where all that were read have come. What is due since the
     * turn began counts too.
     */
    async load (isPoll: boolean, turnAt: Date): Promise<void> {
      const mayBeOthers = isStale || performance.now() - readMs >= againMs
      if (!(isPoll && mayBeOthers) && (dated.length > 0 || isAll)) return
      isStale = false
      dated = await runs.upcoming(turnAt, most)
      readMs = performance.now()
      isAll = dated.length < most
    },

    waitMs: (): number => dated[0] === undefined ? Infinity : Math.max(0, dated[0].runAt.getTime() - clock.ms()),

    /** Queues of those whose time has come, each of which is told once. */
    due (): Set<Queue> {
      const later = dated.findIndex(({ runAt }) => runAt.getTime() > clock.ms())
      return new Set(dated.splice(0, later === -1 ? dated.length : later).map(({ queue }) => queue))
    }
  }
}
