import {
  uuidv7,
  type AddOptions, type Clock, type EventBus, type JobDefinition, type JobSender, type Session
} from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import type { ScheduleRepository, SlotRepository } from '../repository.ts'
import { schedulePaused, slotMissed } from './events.ts'
import type { ScheduleRow, SlotRow } from './row.ts'
import { isOneByOne } from './rules.ts'
import type { SettledSlot } from './settle.ts'

export interface SlotWriterParts {
  schedules: ScheduleRepository
  slotRows: SlotRepository
  jobs: JobSender
  events: Pick<EventBus, 'emit'>
  clock: Clock
  jobOf: (name: string) => JobDefinition | undefined
  /** Runs ended for the one that is due; told in the transaction. */
  onEnded: (ids: readonly string[]) => void
}

export interface Decided { schedule: ScheduleRow, slots: readonly SettledSlot[], cancelsOthers: boolean }

/** Writes what was decided about slots, in the transaction that made sure of it: runs, slots, events. */
export function createSlotWriter (parts: SlotWriterParts) {
  const { schedules, slotRows, jobs, events, clock, jobOf, onEnded } = parts

  async function write (session: Session, decided: readonly Decided[], by: SlotRow['by']): Promise<SlotRow[]> {
    const now = clock.now()
    for (const { schedule, cancelsOthers } of decided) {
      if (cancelsOthers) onEnded(await schedules.cancelRuns(session, schedule._id, now))
    }
    const runOf = await addRuns(session, decided)
    const rows = decided.flatMap(({ schedule, slots }) => slots.map((slot) =>
      toRow(schedule, slot, { by, now, runId: runOf.get(slot) ?? null })))
    if (by === 'ticker') await slotRows.insert(session, rows)
    else await slotRows.put(session, rows)
    if (by === 'ticker') for (const one of decided) await tellMissed(session, one)
    return rows
  }

  /** One `addMany` for all runs of a job. */
  async function addRuns (session: Session, decided: readonly Decided[]): Promise<Map<SettledSlot, string>> {
    const items = decided.flatMap(({ schedule, slots }) =>
      slots.filter(({ hasRun }) => hasRun).map((slot) => ({ schedule, slot })))
    const ids = new Map<SettledSlot, string>()
    for (const [name, ofJob] of Map.groupBy(items, ({ schedule }) => schedule.job)) {
      const job = jobOf(name)
      if (job === undefined) throw JobsError.unknown_job({ job: name })
      const added = await jobs.addMany(session, job, ofJob.map(({ schedule, slot }) =>
        ({ data: schedule.data, options: runOptions(job, schedule, slot) })))
      ofJob.forEach(({ slot }, i) => { ids.set(slot, added[i]?.id ?? '') })
    }
    return ids
  }

  async function tellMissed (session: Session, { schedule, slots }: Decided): Promise<void> {
    const missed = slots.filter(({ outcome }) => outcome === 'missed')
    const [first] = missed
    const last = missed.at(-1)
    if (first === undefined || last === undefined) return
    const { _id: scheduleId, name, workspaceId } = schedule
    await events.emit(session, slotMissed, {
      scheduleId, name, count: missed.length, firstAt: first.at.toISOString(), lastAt: last.at.toISOString()
    }, { type: 'schedule', id: scheduleId }, { workspaceId })
  }

  return {
    write,

    /** Pauses a schedule by itself; false when it was changed meanwhile. */
    async pause (session: Session, schedule: ScheduleRow, reason: string, failures: number): Promise<boolean> {
      const { _id: scheduleId, name, workspaceId, override } = schedule
      const isOurs = await schedules.change(schedule, {
        isEnabled: false, override: { ...override, isEnabled: false }, pausedFor: reason, failures,
        updatedAt: clock.now()
      }, session)
      if (!isOurs) return false
      await events.emit(session, schedulePaused, { scheduleId, name, reason, failures }, {
        type: 'schedule', id: scheduleId
      }, { workspaceId })
      return true
    }
  }
}

export type SlotWriter = ReturnType<typeof createSlotWriter>

/** The run of a slot: once for ever, and after the one before where the schedule says so. */
function runOptions (job: JobDefinition, schedule: ScheduleRow, slot: SettledSlot): AddOptions {
  const { _id: id, workspaceId, lane, overlap, resources, rank } = schedule
  return {
    key: `sched:${id}:${slot.at.toISOString()}`,
    workspaceId,
    cause: { kind: 'schedule', id },
    resources,
    rank,
    slotAt: slot.at,
    ...(lane === null ? {} : { lane }),
    ...(isOneByOne(overlap) && job.serial === undefined ? { serial: `sched:${id}` } : {})
  }
}

function toRow (
  { _id: scheduleId, workspaceId }: ScheduleRow, { at, wall, dst, outcome, reasons, lateMs }: SettledSlot,
  { by, now, runId }: { by: SlotRow['by'], now: Date, runId: string | null }
): SlotRow {
  return {
    _id: uuidv7(now.getTime()), scheduleId, workspaceId, slotAt: at, wall, dst, outcome, reasons, runId, lateMs, by,
    decidedAt: now
  }
}
