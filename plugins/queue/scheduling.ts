import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Counter, Histogram } from 'prom-client'
import {
  checkDeclared, createDeclarer, createRecurrence, createScheduleAccess, createScheduleRepository,
  createSchedulesService, createSlotRepository, createSlotWriter, createSlots, createTicker,
  schedulePaused, scheduleSchemas, slotMissed, type Obstacles, type ScheduleRow, type SchedulesService
} from '../../src/jobs/index.ts'
import type { EventBus, LeaseTurn, Recurrence } from '../../src/kernel/index.ts'

/** A schedule that is new may be due at once, and is at most a second late. */
const pollMs = 900
const watchMs = 2000
const againMs = 1000
const knownMs = 10_000
/** Deaths that a new leader looks back at. */
const lookBackMs = 24 * 3_600_000
/** Deaths that a watch looks back at: the longest that a commit stays open. */
const overlapMs = 20_000

export interface SchedulingOptions {
  /** What stands in the way of the runs of a slot when it is settled: blackout windows. */
  obstacles: () => Promise<Obstacles>
  /** What would, as things stand: resources that are taken and pauses too. */
  outlook: (schedule: ScheduleRow, nextAt: Date | undefined) => Promise<Obstacles>
}

declare module 'fastify' {
  interface FastifyInstance {
    schedules: SchedulesService
    /** The one expander of rules in time. */
    recurrence: Recurrence
  }
}

/** Adds schedules to a process: the verbs of operators; answers the loop for the one that leads. */
export function addScheduling (app: FastifyInstance, { obstacles, outlook }: SchedulingOptions) {
  const { db, clock, log, tx, jobs, registry } = app
  const zoneData = process.versions['tz'] ?? ''
  const recurrence = createRecurrence()
  const slots = createSlots(recurrence)
  const schedules = createScheduleRepository(db)
  const slotRows = createSlotRepository(db)
  const jobOf = (name: string) => registry.jobs.get(name)
  // The bus is a floor higher: it is there when the first slot is settled.
  const events: Pick<EventBus, 'emit'> = { emit: async (...args) => await app.events.emit(...args) }
  const writer = createSlotWriter({ schedules, slotRows, jobs, events, clock, jobOf, onEnded: app.tellEnded })
  const ticker = createTicker({
    schedules, slots, writer, tx, clock, jobOf, obstacles, log, onSettled: createSlotMetrics(app)
  })
  const declarer = createDeclarer({ schedules, slots, clock, zoneData, log })
  const service = createSchedulesService({
    schedules, slotRows, access: createScheduleAccess(schedules), slots, recurrence, writer, tx, clock, zoneData, jobOf,
    obstacles, outlook
  })

  /** The loop of the leader: what the code declares first, then what is due, at most a second late. */
  async function lead ({ signal }: LeaseTurn): Promise<void> {
    const times = { watch: 0, known: 0 }
    let isDeclared = false
    let since = new Date(clock.ms() - lookBackMs)
    while (!signal.aborted) {
      try {
        if (!isDeclared) {
          await declarer.declare(registry.schedules.values())
          await declarer.renewZones()
          isDeclared = true
        }
        if (performance.now() - times.watch >= watchMs) since = await watch(times, since)
        await sleep(await turn(), undefined, { signal })
      } catch (err) {
        if (signal.aborted) return
        log.warn({ err }, 'a turn of the ticker failed')
        await sleep(againMs, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async function watch (times: { watch: number, known: number }, since: Date): Promise<Date> {
    times.watch = performance.now()
    const alsoKnown = times.watch - times.known >= knownMs
    if (alsoKnown) times.known = times.watch
    const next = new Date(clock.ms() - overlapMs)
    await ticker.watch(since, { alsoKnown })
    return next
  }

  /** Settles what is due; the milliseconds until the next slot, or the next poll. */
  async function turn (): Promise<number> {
    const firstAt = await schedules.nextAt()
    if (firstAt === undefined || firstAt > clock.now()) return restMs(firstAt)
    const { hasMore } = await ticker.tick()
    // What waits for code that knows its job keeps nobody else waiting.
    return hasMore ? 0 : restMs(await schedules.nextAt(clock.now()))
  }

  function restMs (nextAt: Date | undefined): number {
    return nextAt === undefined ? pollMs : Math.max(1, Math.min(pollMs, nextAt.getTime() - clock.ms()))
  }

  app.declare({ domain: 'jobs', events: [schedulePaused, slotMissed], schemas: scheduleSchemas })
  app.decorate('schedules', service)
  app.decorate('recurrence', recurrence)
  app.addHook('onReady', async () => { checkDeclared(registry.schedules.values(), { jobOf, recurrence }) })
  return { lead }
}

function createSlotMetrics ({ metrics }: FastifyInstance) {
  const registers = [metrics]
  const outcomes = new Counter({
    name: 'switchyard_jobs_slots_total', help: 'Slots of schedules by what became of them', labelNames: ['outcome'],
    registers
  })
  const lateness = new Histogram({
    name: 'switchyard_jobs_slot_lateness_seconds', help: 'From a slot to its decision', registers,
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]
  })
  return (outcome: string, lateMs: number): void => {
    outcomes.inc({ outcome })
    lateness.observe(lateMs / 1000)
  }
}
