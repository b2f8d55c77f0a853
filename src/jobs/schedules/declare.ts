import {
  uuidv7, type Clock, type JobDefinition, type Log, type Recurrence, type ScheduleDefinition
} from '../../kernel/index.ts'
import { dataHash } from '../keys.ts'
import { checkPayload } from '../payload.ts'
import type { ScheduleRepository } from '../repository.ts'
import { settingsOf, type ScheduleRow, type ScheduleSettings } from './row.ts'
import type { Slots } from './rules.ts'

export interface DeclareParts {
  schedules: ScheduleRepository
  slots: Slots
  clock: Clock
  /** Version of the zone data of this process. */
  zoneData: string
  log: Log
}

/** A schedule that nobody has settled a slot of. */
export function newSchedule (
  { _id, workspaceId, name, declared, override }:
  Pick<ScheduleRow, 'workspaceId' | 'name' | 'declared' | 'override'> & { _id?: string },
  { slots, now, zoneData }: { slots: Slots, now: Date, zoneData: string }
): ScheduleRow {
  const row: ScheduleRow = {
    ...settingsOf({ declared, override, isRetired: false }),
    _id: _id ?? uuidv7(now.getTime()),
    workspaceId,
    name,
    lastSlotAt: now,
    nextSlotAt: null,
    failures: 0,
    failuresFrom: now,
    rev: 1,
    turns: 0,
    zoneData,
    pausedFor: null,
    isRetired: false,
    declared,
    override,
    createdAt: now,
    updatedAt: now
  }
  return { ...row, nextSlotAt: slots.next(row, now)?.at ?? null }
}

/** What the code declares, in the store: the leader's first work. An operator's changes stay. */
export function createDeclarer ({ schedules, slots, clock, zoneData, log }: DeclareParts) {
  async function declareOne (definition: ScheduleDefinition, there: ScheduleRow | undefined): Promise<void> {
    const declared = settingsOfDefinition(definition)
    const { name } = definition
    if (there === undefined) {
      const row = newSchedule(
        { workspaceId: '', name, declared, override: {} }, { slots, now: clock.now(), zoneData })
      if (await schedules.add(row)) return
    }
    const row = there ?? await schedules.byName('', name)
    if (row === undefined) return
    if (row.isRetired || dataHash(row.declared) !== dataHash(declared)) await renew(row, declared)
  }

  async function renew (row: ScheduleRow, declared: ScheduleSettings): Promise<void> {
    const now = clock.now()
    const settings = settingsOf({ declared, override: row.override, isRetired: false })
    const changed: ScheduleRow = { ...row, ...settings }
    // Slots of the old rule that nobody settled are not owed by the new one.
    const lastSlotAt = isSameRule(row, changed) ? row.lastSlotAt : now
    const isDone = await schedules.change(row, {
      ...settings, declared, isRetired: false, lastSlotAt, nextSlotAt: slots.next(changed, lastSlotAt)?.at ?? null,
      zoneData, updatedAt: now
    })
    if (!isDone) log.info({ schedule: row.name }, 'a declared schedule was changed meanwhile')
  }

  return {
    /** Writes down what is declared, and lets rest what is not any more. */
    async declare (definitions: Iterable<ScheduleDefinition>): Promise<void> {
      const there = new Map((await schedules.declared()).map((row) => [row.name, row]))
      for (const definition of definitions) {
        await declareOne(definition, there.get(definition.name))
        there.delete(definition.name)
      }
      for (const row of there.values()) {
        if (!row.isRetired) await schedules.change(row, { isRetired: true, isEnabled: false, updatedAt: clock.now() })
      }
    },

    /** Finds the next slots anew where the zone data changed. */
    async renewZones (): Promise<void> {
      for (const row of await schedules.ofOtherZoneData(zoneData)) {
        await schedules.change(row, { nextSlotAt: slots.next(row, row.lastSlotAt)?.at ?? null, zoneData })
      }
    }
  }
}

/** Throws where the code declares what cannot be a schedule. */
export function checkDeclared (
  definitions: Iterable<ScheduleDefinition>, { jobOf, recurrence }: {
    jobOf: (name: string) => JobDefinition | undefined, recurrence: Recurrence
  }
): void {
  for (const { name, job, data, spec, zone } of definitions) {
    if (jobOf(job.name) !== job) throw new Error(`the schedule ${name} is of a job that is not declared: ${job.name}`)
    checkPayload(job.name, job.data, data)
    recurrence.check({ spec, zone })
  }
}

export function isSameRule (
  a: Pick<ScheduleRow, 'spec' | 'zone' | 'smear'>, b: Pick<ScheduleRow, 'spec' | 'zone' | 'smear'>
): boolean {
  return dataHash([a.spec, a.zone, a.smear]) === dataHash([b.spec, b.zone, b.smear])
}

function settingsOfDefinition ({ name, job, ...settings }: ScheduleDefinition): ScheduleSettings {
  return { ...settings, job: job.name, resources: [...settings.resources] }
}
