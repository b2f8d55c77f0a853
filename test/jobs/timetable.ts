// Schedules under a clock that is moved by hand: real stores, real ticker, and runs that take as long as they are told.
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  createDeclarer, createRecurrence, createScheduleAccess, createScheduleRepository, createSchedulesService,
  createSlotRepository, createSlotWriter, createSlots, createTicker, noObstacles,
  type Obstacles, type ScheduleRow, type SlotRow
} from '../../src/jobs/index.ts'
import { defineJob, systemActor, uuidv7, type Clock } from '../../src/kernel/index.ts'

export const beat = defineJob({
  name: 'test.beat-once', queue: 'fast', data: Type.Object({}, { additionalProperties: false })
})

export interface HandClock extends Clock { to (at: Date | string | number): void }

export function handClock (at: Date | string): HandClock {
  let nowMs = new Date(at).getTime()
  return { ms: () => nowMs, now: () => new Date(nowMs), to: (next) => { nowMs = new Date(next).getTime() } }
}

interface Run {
  _id: string
  state: string
  key: string
  startedAt?: Date
  cancel?: { at: Date }
  cause?: { kind: string, id: string }
}

const oneByOne = new Set(['buffer_one', 'buffer_all', 'cancel_other'])

/** The instant of the slot that a run is of. */
const slotMsOf = ({ key }: Run): number => Date.parse(key.slice(key.indexOf(':', 6) + 1))

/** When a run started, or when it can. */
const startOf = (run: Run, freeMs: number): number => run.startedAt?.getTime() ?? Math.max(slotMsOf(run), freeMs)

/** The parts of the ticker and of the operators' verbs over the stores of an app. */
export function timetable (app: FastifyInstance, clock: HandClock, obstacles: Obstacles = noObstacles) {
  const { db, tx, jobs, events, registry, log } = app
  const zoneData = 'test'
  const recurrence = createRecurrence()
  const slots = createSlots(recurrence)
  const schedules = createScheduleRepository(db)
  const slotRows = createSlotRepository(db)
  const jobOf = (name: string) => registry.jobs.get(name)
  const writer = createSlotWriter({ schedules, slotRows, jobs, events, clock, jobOf, onEnded: app.tellEnded })
  const stands = async (): Promise<Obstacles> => obstacles
  const ticker = createTicker({
    schedules, slots, writer, tx, clock, jobOf, obstacles: stands, onSettled: () => undefined, log
  })
  const service = createSchedulesService({
    schedules, slotRows, access: createScheduleAccess(schedules), slots, recurrence, writer, tx, clock, zoneData, jobOf,
    obstacles: stands, outlook: stands
  })
  const runs = db.collection<Run>('jobs.runs')
  const actor = systemActor('test', 'w')

  /** Starts and ends the runs of a schedule as a worker would until then, each after `forMs`. */
  async function work (scheduleId: string, overlap: string, forMs: number, until: Date): Promise<void> {
    const { resources, rank } = await schedules.find(undefined, scheduleId) as ScheduleRow
    const open = await runs.find(
      { 'cause.id': scheduleId, state: { $in: ['pending', 'running'] } }).sort({ _id: 1 }).toArray()
    let freeMs = 0
    const isOneByOne = oneByOne.has(overlap)
    const openAt = (slotMs: number): number =>
      obstacles({ at: new Date(slotMs), resources, rank })?.until?.getTime() ?? 0
    for (const run of open) {
      const startMs = startOf(run, Math.max(isOneByOne ? freeMs : 0, openAt(slotMsOf(run))))
      if (startMs > until.getTime()) return
      const endMs = Math.min(startMs + forMs, run.cancel?.at.getTime() ?? Infinity)
      const hasEnded = endMs <= until.getTime()
      const ended = { isLive: false, state: run.cancel === undefined ? 'done' : 'cancelled', endedAt: new Date(endMs) }
      await runs.updateOne({ _id: run._id }, {
        $set: { startedAt: new Date(startMs), ...(hasEnded ? ended : { isLive: true, state: 'running' }) }
      })
      freeMs = hasEnded ? endMs : Infinity
    }
  }

  return {
    clock,
    recurrence,
    schedules,
    ticker,
    service,
    actor,
    work,
    declarer: createDeclarer({ schedules, slots, clock, zoneData, log }),
    /** Leaves a run behind that took so long, for `explain` to learn from. */
    async remember (id: string, forMs: number): Promise<void> {
      await runs.insertOne({
        _id: uuidv7(), state: 'done', key: `past:${id}`, cause: { kind: 'schedule', id },
        startedAt: new Date(clock.ms() - forMs), endedAt: clock.now()
      } as Run)
    },
    row: async (id: string) => await schedules.find(undefined, id) as ScheduleRow,
    runsOf: async (id: string) => await runs.find({ 'cause.id': id }).sort({ _id: 1 }).toArray(),
    /** Instant and outcome of every slot, the oldest first. */
    async told (id: string): Promise<Array<[string, SlotRow['outcome']]>> {
      const rows = await db.collection<SlotRow>('jobs.slots').find({ scheduleId: id }).sort({ slotAt: 1 }).toArray()
      return rows.map(({ slotAt, outcome }) => [slotAt.toISOString(), outcome])
    }
  }
}

export type Timetable = ReturnType<typeof timetable>
