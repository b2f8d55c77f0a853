import { setTimeout as sleep } from 'node:timers/promises'
import type { BatchWatch, EndedNeed, MendingRepository, RelayRepository } from '../../src/jobs/index.ts'
import { queues, type Clock, type LeaseTurn, type Log, type Queue } from '../../src/kernel/index.ts'
import { createBell } from './bell.ts'
import type { Contest } from './contest.ts'
import type { Duty } from './duties.ts'
import type { Holds } from './holds.ts'
import type { Recovery } from './recovery.ts'
import type { Wake } from './wake.ts'
import type { WorkersView } from './workers-view.ts'

const secondMs = 1000
const reconcileMs = 10_000

export interface RoundsParts {
  contest: Contest
  watch: BatchWatch
  mendings: MendingRepository
  recovery: Recovery
  holds: Holds
  /** What is looked at every ten seconds besides. */
  duties: readonly Duty[]
  view: WorkersView
  runs: RelayRepository
  clock: Clock
  /** Has the duties that are about workers, and not about the runs of a partition. */
  isChief: boolean
  /** Tells the keepers of all partitions. */
  wakeAll: (wake: Wake) => void
  log: Log
}

/**
 * The rounds of a keeper: who is dead, what is lost, what is held for nothing. They go beside the relay, which no
 * new run should find busy with them: all that they write is a compare-and-set, as all of the relay is.
 */
export function createRounds (
  { contest, watch, mendings, recovery, holds, duties, view, runs, clock, isChief, wakeAll, log }: RoundsParts
) {
  const bell = createBell()
  let hasOtherWorkers = true
  let hasOtherRedis = true
  let reconciledMs = -Infinity
  let isUnderWay = false

  /** One round; false where it failed, which ends no keeper: the next one looks at everything. */
  async function next ({ fence, signal }: LeaseTurn): Promise<boolean> {
    isUnderWay = true
    try {
      await round(fence)
      return true
    } catch (err) {
      lookAtAll()
      if (!signal.aborted) log.warn({ err }, 'a round of the keeper failed')
      return false
    } finally {
      isUnderWay = false
    }
  }

  async function rest (wasWell: boolean, signal: AbortSignal): Promise<void> {
    if (wasWell) await bell.wait(secondMs, signal, () => hasOtherWorkers || hasOtherRedis)
    else await sleep(secondMs, undefined, { signal }).catch(() => undefined)
  }

  function lookAtAll (): void {
    hasOtherWorkers = hasOtherRedis = true
    reconciledMs = -Infinity
  }

  async function round (fence: number): Promise<void> {
    if (hasOtherRedis) {
      hasOtherRedis = false
      await recovery.checkEpoch(fence)
      await recovery.addAgain()
    }
    await eachSecond(fence)
    const nowMs = performance.now()
    if (nowMs - reconciledMs < reconcileMs) return
    reconciledMs = nowMs
    await reconcile()
  }

  async function eachSecond (fence: number): Promise<void> {
    hasOtherWorkers = false
    const { gone, isChanged } = await view.refresh()
    if (isChanged) await holds.freeAble()
    await allEnded([recovery.checkEpoch(fence), ...isChief ? [mend(gone)] : []])
  }

  async function mend (gone: readonly string[]): Promise<void> {
    const { holders, serials, needs, batches } = await mendings.look()
    await allEnded([
      endDead(gone, holders), runs.freeStaleSerials(serials), endNeeds(needs), watch.batches(batches)
    ])
  }

  async function endDead (gone: readonly string[], holders: readonly string[]): Promise<void> {
    const returned = await recovery.returnGone(gone)
    if (returned > 0) log.warn({ returned }, 'runs of a dead worker are pending again')
    const unseen = await recovery.returnUnseen(holders)
    if (returned + unseen > 0) await freePlaces()
  }

  async function endNeeds (needs: readonly EndedNeed[]): Promise<void> {
    wakeAll({ queues: await watch.needs(needs) })
  }

  async function freePlaces (): Promise<void> {
    wakeAll({ queues: await contest.reconcile() })
  }

  async function reconcile (): Promise<void> {
    await recovery.returnLost()
    await recovery.endLate()
    await holds.freeStale()
    if (!isChief) return
    await freePlaces()
    await recovery.endWindows()
    await runs.holdQueues(queues.filter((queue: Queue) => view.concurrencyOf(queue) === 0), clock.now())
    for (const duty of duties) await duty()
  }

  return {
    /** The first round of a lease, until it is well: before it nobody knows who works. */
    async first (turn: LeaseTurn): Promise<void> {
      lookAtAll()
      while (!turn.signal.aborted && !await next(turn)) await rest(false, turn.signal)
    },

    /** Round after round until the lease ends; after each it tells whether all is well with the stores. */
    async go (turn: LeaseTurn, onRound: (isWell: boolean) => void): Promise<void> {
      for (let isWell = true; ;) {
        await rest(isWell, turn.signal)
        if (turn.signal.aborted) return
        isWell = await next(turn)
        onRound(isWell)
      }
    },

    isUnderWay: () => isUnderWay,

    workersChanged (): void {
      hasOtherWorkers = true
      bell.ring()
    },
    redisCameBack (): void {
      hasOtherRedis = true
      bell.ring()
    }
  }
}

export type Rounds = ReturnType<typeof createRounds>

/** Waits for all of them, then throws what the first one threw: none goes on behind the round that began it. */
async function allEnded (works: ReadonlyArray<Promise<unknown>>): Promise<void> {
  for (const result of await Promise.allSettled(works)) if (result.status === 'rejected') throw result.reason
}
