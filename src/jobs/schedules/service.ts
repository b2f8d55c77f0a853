import {
  withPolicy,
  type Actor, type Clock, type JobDefinition, type Occurrence, type Recurrence, type SchedulePolicy, type Session,
  type Tx
} from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import { checkPayload } from '../payload.ts'
import type { ScheduleRepository, SlotRepository } from '../repository.ts'
import { scopeOf, type ScheduleAccess } from './access.ts'
import { isSameRule, newSchedule } from './declare.ts'
import { explainSlots } from './explain.ts'
import { presentExplanation, presentSchedule, presentSlot } from './present.ts'
import { settingsOf, type ScheduleRow, type ScheduleSettings, type SlotRow } from './row.ts'
import type { Obstacles, Slots } from './rules.ts'
import type {
  Backfill, BackfillResult, Explanation, NewSchedule, SchedulePatch, ScheduleSlotView, ScheduleView
} from './schemas.ts'
import { judgeAll } from './settle.ts'
import type { SlotWriter } from './writer.ts'

interface Collaborators {
  schedules: ScheduleRepository
  slotRows: SlotRepository
  access: ScheduleAccess
  slots: Slots
  recurrence: Recurrence
  writer: SlotWriter
  tx: Tx
  clock: Clock
  zoneData: string
  jobOf: (name: string) => JobDefinition | undefined
  /** What the ticker knows to be in the way. */
  obstacles: () => Promise<Obstacles>
  /** What is in the way as things stand, for who asks. */
  outlook: (schedule: ScheduleRow, nextAt: Date | undefined) => Promise<Obstacles>
}

const mostBackfilled = 1000
/** DTSTART of a new rule; an older one has thousands of slots that nobody will see. */
const oldestStartMs = 2 * 366 * 86_400_000
const tries = 5

export type SchedulesService = ReturnType<typeof createSchedulesService>

/** What operators do with schedules. */
export function createSchedulesService (parts: Collaborators) {
  const { schedules, slotRows, access, slots, recurrence, writer, tx, clock, zoneData, jobOf } = parts
  const { obstacles, outlook } = parts
  const present = (row: ScheduleRow): ScheduleView => presentSchedule(row, jobOf(row.job))

  function check (settings: ScheduleSettings): void {
    const job = jobOf(settings.job)
    if (job === undefined) throw JobsError.unknown_job({ job: settings.job })
    checkPayload(job.name, job.data, settings.data)
    recurrence.check(settings)
    const { spec: { dtstart }, zone } = settings
    const [start] = dtstart === undefined ? [] : recurrence.instantsOf(dtstart, zone).instants
    if (start !== undefined && clock.ms() - start.getTime() > oldestStartMs) {
      throw invalid('/spec/dtstart', 'dtstart is more than two years back')
    }
  }

  /** A rule that is over would never do anything. */
  function requireSlot (row: ScheduleRow): void {
    if (row.nextSlotAt === null) throw JobsError.slot_in_past({ name: row.name })
  }

  /** Changes the version at hand; another one that came first is looked at again. */
  async function change (
    actor: Actor, id: string, changed: (row: ScheduleRow) => Partial<ScheduleRow>
  ): Promise<ScheduleView> {
    for (let attempt = 0; attempt < tries; attempt++) {
      const row = await access.schedule(actor, id)
      const set = { ...changed(row), updatedAt: clock.now() }
      if (await schedules.change(row, set)) return present({ ...row, ...set, rev: row.rev + 1 })
    }
    throw new Error(`the schedule ${id} changes all the time`)
  }

  function patched (row: ScheduleRow, override: Partial<ScheduleSettings>): Partial<ScheduleRow> {
    const settings = settingsOf({ ...row, override })
    check(settings)
    const changed = { ...row, ...settings }
    if (isSameRule(row, changed)) return { ...settings, override }
    const now = clock.now()
    const nextSlotAt = slots.next(changed, now)?.at ?? null
    requireSlot({ ...changed, nextSlotAt })
    return { ...settings, override, lastSlotAt: now, nextSlotAt, zoneData }
  }

  /** Settles slots out of turn, against whatever else settles slots of this schedule now. */
  async function decide (
    row: ScheduleRow, by: SlotRow['by'], overlap: SchedulePolicy['overlap'] | undefined,
    slotsOf: (session: Session, schedule: ScheduleRow) => Promise<Occurrence[]>
  ): Promise<SlotRow[]> {
    const stands = await obstacles()
    return await tx(async (session) => {
      const there = await schedules.turn(session, row._id)
      if (there === undefined) throw JobsError.schedule_not_found({ id: row._id })
      const schedule = overlap === undefined ? there : { ...there, overlap }
      const live = (await schedules.live(session, [row._id])).get(row._id) ?? 0
      const due = (await slotsOf(session, schedule)).map((slot) =>
        ({ ...slot, lateMs: Math.max(0, clock.ms() - slot.at.getTime()), missed: null }))
      const judged = judgeAll(schedule, due, live, stands)
      return await writer.write(session, [{ schedule, ...judged }], by)
    })
  }

  return {
    async list (
      actor: Actor, query: { before?: string | undefined, limit: number, isEnabled?: boolean | undefined }
    ): Promise<ScheduleView[]> {
      return (await schedules.list(scopeOf(actor), query)).map(present)
    },

    get: async (actor: Actor, id: string): Promise<ScheduleView> => present(await access.schedule(actor, id)),

    /** Throws `schedule_invalid`, `rrule_unsupported`, `zone_unknown`, `slot_in_past`, `unknown_job`, and for data. */
    async add ({ workspaceId }: Actor, { name, ...asked }: NewSchedule): Promise<ScheduleView> {
      const override = withPolicy(asked) as ScheduleSettings
      check(override)
      const row = newSchedule(
        { workspaceId, name, declared: null, override }, { slots, now: clock.now(), zoneData })
      requireSlot(row)
      if (!await schedules.add(row)) throw invalid('/name', 'a schedule has this name already')
      return present(row)
    },

    async change (actor: Actor, id: string, patch: SchedulePatch): Promise<ScheduleView> {
      return await change(actor, id, (row) =>
        patched(row, { ...row.override, ...patch as Partial<ScheduleSettings> }))
    },

    /** Its runs go on; what the code declares is paused, not removed. Throws `schedule_invalid`. */
    async remove (actor: Actor, id: string): Promise<void> {
      const { declared, isRetired } = await access.schedule(actor, id)
      if (declared !== null && !isRetired) throw invalid('', 'the code declares this schedule: pause it')
      await schedules.remove(scopeOf(actor), id)
    },

    pause: async (actor: Actor, id: string) => await change(actor, id, (row) => ({
      isEnabled: false, override: { ...row.override, isEnabled: false }, pausedFor: 'operator'
    })),

    /** From now on: slots of the pause are not owed. */
    resume: async (actor: Actor, id: string) => await change(actor, id, (row) => {
      if (row.isEnabled) return {}
      const now = clock.now()
      const override = { ...row.override, isEnabled: true }
      const nextSlotAt = slots.next(row, now)?.at ?? null
      requireSlot({ ...row, nextSlotAt })
      return {
        ...settingsOf({ ...row, override }), override, pausedFor: null, failures: 0, failuresFrom: now,
        lastSlotAt: now, nextSlotAt
      }
    }),

    /** One slot now, by the same rules as any. */
    async trigger (actor: Actor, id: string): Promise<ScheduleSlotView> {
      const row = await access.schedule(actor, id)
      const [slot] = await decide(row, 'trigger', undefined, async (_session, { zone }) => {
        // Slots of rules fall on full seconds: this one must be another.
        const ms = clock.ms()
        const at = new Date(ms % 1000 === 0 ? ms + 1 : ms)
        return [{ at, wall: recurrence.wallOf(at, zone), dst: null }]
      })
      if (slot === undefined) throw new Error('a trigger made no slot')
      return presentSlot({ ...slot, runState: slot.runId === null ? null : 'pending' })
    },

    /** Old slots, those that have a run left alone. Throws `schedule_invalid` for more than 1,000. */
    async backfill (actor: Actor, id: string, { from, to, overlap }: Backfill): Promise<BackfillResult> {
      const row = await access.schedule(actor, id)
      const range = { from: new Date(from), to: new Date(to) }
      if (range.to > clock.now() || range.from > range.to) throw invalid('/to', 'the range is not in the past')
      const wanted = slots.between(row, {
        after: new Date(range.from.getTime() - 1), until: range.to, limit: mostBackfilled + 1
      })
      if (wanted.length > mostBackfilled) throw invalid('/from', `the range has more than ${mostBackfilled} slots`)
      let already = 0
      const written = await decide(row, 'backfill', overlap, async (session) => {
        const done = await slotRows.withRun(session, id, range)
        already = wanted.filter(({ at }) => done.has(at.getTime())).length
        return wanted.filter(({ at }) => !done.has(at.getTime()))
      })
      const count = (...outcomes: string[]) => written.filter(({ outcome }) => outcomes.includes(outcome)).length
      return {
        slots: wanted.length,
        fired: count('fire', 'wait', 'blackout'),
        buffered: count('buffer'),
        skipped: count('skip'),
        already
      }
    },

    async explain (actor: Actor, id: string, count: number): Promise<Explanation> {
      const schedule = await access.schedule(actor, id)
      const coming = slots.between(schedule, {
        after: schedule.lastSlotAt, until: new Date(8.64e15), limit: count
      })
      const [live, times, stands] = await Promise.all(
        [schedules.liveRuns(id), schedules.runTimes(id), outlook(schedule, coming[0]?.at)])
      const runMs = times.length === 0 ? 0 : Math.round(times.reduce((sum, ms) => sum + ms, 0) / times.length)
      return presentExplanation(runMs, explainSlots({
        schedule, slots: coming, live, runMs, nowMs: clock.ms(), obstacles: stands
      }))
    },

    async slots (
      actor: Actor, id: string, query: { before?: Date | undefined, limit: number }
    ): Promise<ScheduleSlotView[]> {
      await access.schedule(actor, id)
      return (await slotRows.list(id, query)).map(presentSlot)
    }
  }
}

function invalid (pointer: string, detail: string): Error {
  return JobsError.schedule_invalid({}, { detail, errors: [{ in: 'body', pointer, code: 'invalid', detail }] })
}
