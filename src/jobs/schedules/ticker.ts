import { isDomainError, type Clock, type JobDefinition, type Log, type Tx } from '../../kernel/index.ts'
import type { ScheduleRepository } from '../repository.ts'
import type { ScheduleRow } from './row.ts'
import type { Obstacles, Slots } from './rules.ts'
import { settle, type Settlement } from './settle.ts'
import type { SlotWriter } from './writer.ts'

export interface TickerParts {
  schedules: ScheduleRepository
  slots: Slots
  writer: SlotWriter
  tx: Tx
  clock: Clock
  jobOf: (name: string) => JobDefinition | undefined
  /** Read anew at every tick. */
  obstacles: () => Promise<Obstacles>
  /** Called for each slot once it is committed. */
  onSettled: (outcome: string, lateMs: number) => void
  log: Log
}

const most = 2000
/** So many due schedules share a transaction, and so many transactions are at work. */
const together = 100
const atOnce = 3

/** Another ticker moved one of the schedules first. */
class Outrun extends Error {}

/** Settles due slots: each schedule by compare-and-set, its runs and slots in the same transaction (`jobs.md` 4.6). */
export function createTicker ({ schedules, slots, writer, tx, clock, jobOf, obstacles, onSettled, log }: TickerParts) {
  /** One pass over what is due; how many schedules moved, and whether more may be due. */
  async function tick (): Promise<{ moved: number, hasMore: boolean }> {
    const now = clock.now()
    const due = await schedules.due(now, most)
    // A job that this version does not know waits for a leader that does.
    const able = due.filter(({ job }) => jobOf(job) !== undefined)
    if (able.length === 0) return { moved: 0, hasMore: false }
    const groups = grouped(able)
    const stands = await obstacles()
    let moved = 0
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
        moved += await settleGroup(group, now, stands)
      }
    }))
    const isBehind = due.length === most || able.some(({ nextSlotAt }) => isFarBack(nextSlotAt, now))
    return { moved, hasMore: moved > 0 && isBehind }
  }

  /** All in one transaction; where that fails, each alone. */
  async function settleGroup (group: readonly ScheduleRow[], now: Date, stands: Obstacles): Promise<number> {
    try {
      await commit(group, now, stands)
      return group.length
    } catch (error) {
      const [only] = group
      if (group.length === 1 && only !== undefined) return await fail(only, error)
      let moved = 0
      for (const one of group) moved += await settleGroup([one], now, stands)
      return moved
    }
  }

  async function commit (group: readonly ScheduleRow[], now: Date, stands: Obstacles): Promise<void> {
    const written = await tx(async (session) => {
      const live = await schedules.live(session, group.map(({ _id }) => _id))
      const settlements = group.map((schedule) =>
        settle(schedule, { live: live.get(schedule._id) ?? 0, now, slots, obstacles: stands }))
      if (await schedules.move(session, settlements.map(toMove)) !== group.length) throw new Outrun()
      return await writer.write(session, settlements, 'ticker')
    })
    for (const { outcome, lateMs } of written) onSettled(outcome, lateMs)
  }

  /** Data that no longer fits, or a rule that no longer has a hit: it would fail again every second. */
  async function fail (schedule: ScheduleRow, error: unknown): Promise<number> {
    if (error instanceof Outrun) return 0
    if (isDomainError(error)) {
      await tx(async (session) => await writer.pause(session, schedule, error.code, schedule.failures))
      return 1
    }
    log.warn({ err: error, schedule: schedule._id }, 'a schedule could not be settled')
    return 0
  }

  return {
    tick,

    /** Pauses schedules whose runs died again and again; looks at deaths since then. */
    async watch (since: Date, options: { alsoKnown: boolean }): Promise<void> {
      for (const id of await schedules.failing(since, options)) {
        const schedule = await schedules.find(undefined, id)
        if (schedule === undefined) continue
        const failures = await schedules.failuresOf(schedule)
        const { pauseAfter, isEnabled } = schedule
        if (isEnabled && pauseAfter > 0 && failures >= pauseAfter) {
          await tx(async (session) => await writer.pause(session, schedule, 'failures', failures))
        } else if (failures !== schedule.failures) await schedules.setFailures(id, failures)
      }
    }
  }
}

export type Ticker = ReturnType<typeof createTicker>

/** Neighbours of one job and workspace go together: their runs are one insert. */
function grouped (due: readonly ScheduleRow[]): ScheduleRow[][] {
  const sorted = due.toSorted((a, b) => nameOf(a) < nameOf(b) ? -1 : 1)
  const groups: ScheduleRow[][] = []
  for (let from = 0; from < sorted.length; from += together) groups.push(sorted.slice(from, from + together))
  return groups
}

const nameOf = ({ workspaceId, job }: ScheduleRow): string => `${workspaceId} ${job}`

/** So long ago that one pass may not have settled all of its slots. */
function isFarBack (nextSlotAt: Date | null, now: Date): boolean {
  return nextSlotAt !== null && now.getTime() - nextSlotAt.getTime() > 60_000
}

function toMove ({ schedule, lastSlotAt, nextSlotAt }: Settlement) {
  return { id: schedule._id, rev: schedule.rev, from: schedule.lastSlotAt, lastSlotAt, nextSlotAt }
}
