import type { FastifyInstance } from 'fastify'
import {
  allot, coveredUntil, createPauseRepository, createResourceRepository, namesNeeded, resourceState, statesNeeded,
  workspaceOf, type Known, type Obstacle, type Obstacles, type ResourceState, type ScheduleRow
} from '../../src/jobs/index.ts'
import { everything, type JobDefinition } from '../../src/kernel/index.ts'
import { isPausedBy } from './pauses.ts'

type Slot = Parameters<Obstacles>[0]

const forever = new Date(8.64e15)

/** What keeps the run of a slot from starting in time, as far as that can be said beforehand. */
export function createObstacles ({ db, clock, registry }: FastifyInstance) {
  const resources = createResourceRepository(db)
  const pauses = createPauseRepository(db)

  async function known (): Promise<Known> {
    return { rows: new Map((await resources.all()).map((row) => [row._id, row])), declared: registry.resources }
  }

  return {
    /** For the ticker: blackouts. What else is in the way only the relay knows, when the run is there. */
    async obstacles (): Promise<Obstacles> {
      const { rows, declared } = await known()
      const nowMs = clock.ms()
      const stateOf = (name: string): ResourceState =>
        resourceState(name, rows.get(name), declared.get(name), { isTarget: false, nowMs })
      return ({ at, resources: names }) => {
        const states = new Map([...names, everything].map((name) => [name, stateOf(name)]))
        const until = coveredUntil({ names, isScheduled: true }, states, at)
        return until === null ? undefined : { verdict: 'blackout', reason: 'blackout', until }
      }
    },

    /**
     * For whoever asks what comes: also pauses, and for the next slot whether its run would get what it needs, by the
     * contest of the relay. Who has a place now may have given it back by any later slot.
     */
    async outlook (schedule: ScheduleRow, nextAt: Date | undefined): Promise<Obstacles> {
      const job = registry.jobs.get(schedule.job)
      const [paused, all] = await Promise.all([pauses.list(), known()])
      const names = new Set(paused.map(({ _id }) => _id))
      const workspaceId = workspaceOf(schedule.data, schedule)
      const isPaused = job !== undefined && isPausedBy(names, { queue: job.queue, workspaceId })
      return (slot) => {
        if (isPaused) return { verdict: 'wait', reason: 'queue_paused', until: null }
        const isNext = slot.at.getTime() === nextAt?.getTime()
        return inTheWay(slot, { needs: needsOf(job, schedule, slot), known: all, nowMs: clock.ms(), isNext })
      }
    }
  }
}

function needsOf (job: JobDefinition | undefined, { data }: ScheduleRow, { resources }: Slot) {
  return {
    resources: [...new Set([...job?.resources?.(data) ?? [], ...resources])].toSorted(), target: job?.target?.(data)
  }
}

function inTheWay (
  { at, rank }: Slot, { needs, known, nowMs, isNext }: {
    needs: ReturnType<typeof needsOf>, known: Known, nowMs: number, isNext: boolean
  }
): Obstacle | undefined {
  const names = namesNeeded(needs, known)
  const states = statesNeeded([{ ...needs, names }], known, nowMs)
  const until = coveredUntil({ names, isScheduled: true }, states, at)
  if (until !== null) return { verdict: 'blackout', reason: 'blackout', until }
  return isNext ? lost({ names, at: new Date(Math.max(nowMs, at.getTime())), rank }, states, nowMs) : undefined
}

/** What the run of a slot lacks while whoever has a place now keeps it; rates fill up until then. */
function lost (
  { names, at, rank }: { names: readonly string[], at: Date, rank: number },
  states: ReadonlyMap<string, ResourceState>, nowMs: number
): Obstacle | undefined {
  const kept = new Map([...states].map(([name, { holders, ...state }]) => [name, {
    ...state,
    holders: holders.filter(({ until }) => until.getTime() > nowMs).map((one) => ({ ...one, until: forever }))
  }]))
  const run = { _id: '', names, release: 0, rank, slotAt: at, overtaken: 0, isScheduled: true }
  const { losers: [loser], buckets } = allot([run], kept, at)
  if (loser === undefined) return undefined
  if (loser.reason !== 'rate') return { verdict: 'wait', reason: loser.reason, until: null, isPassing: true }
  const waits = names.map((name) => (1 - (buckets.get(name)?.tokens ?? 1)) / (states.get(name)?.ratePerS ?? 1))
  return { verdict: 'wait', reason: 'rate', until: new Date(at.getTime() + 1000 * Math.max(0, ...waits)) }
}
