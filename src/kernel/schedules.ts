import type { Static, TSchema } from 'typebox'
import type { JobDefinition, Lane } from './jobs.ts'
import type { RecurrenceSpec } from './recurrence.ts'

/** What happens to a slot while a run of the same schedule has not ended. */
export const overlaps = ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'allow_all'] as const
export type Overlap = typeof overlaps[number]

/** What happens to slots that nobody settled within 60 s. */
export const misfires = ['none', 'last', 'all'] as const
export type Misfire = typeof misfires[number]

/** How the slots of a schedule become runs. */
export interface SchedulePolicy {
  zone: string
  overlap: Overlap
  misfire: Misfire
  /** How late a slot may be for `all`; null: one interval, at least 60 s, at most 7 days. */
  catchUpMs: number | null
  resources: readonly string[]
  /** Null: the lane of the job. */
  lane: Lane | null
  /** Who goes first where runs wait for a resource: the lowest. */
  rank: number
  /** Shifts slots by a stable part of the interval, so that not all of them fall on the full hour. */
  smear: boolean
  /** Consecutive failures that pause it; 0: none do. */
  pauseAfter: number
  isEnabled: boolean
}

export interface ScheduleDefinition<D extends TSchema = TSchema> extends SchedulePolicy {
  /** `<domain>.<verb>-<noun>` */
  name: string
  job: JobDefinition<D>
  data: Static<D>
  spec: RecurrenceSpec
}

const policy: Omit<SchedulePolicy, 'smear'> = {
  zone: 'UTC', overlap: 'skip', misfire: 'last', catchUpMs: null, resources: [], lane: null, rank: 0, pauseAfter: 5,
  isEnabled: true
}

/** A schedule without what was not said of it; intervals are smeared, fixed times are not. */
export function withPolicy<T extends { spec: RecurrenceSpec } & Partial<SchedulePolicy>> (
  schedule: T
): SchedulePolicy & T {
  return { ...policy, smear: schedule.spec.everyMs !== undefined, ...schedule }
}

/** A schedule as data; the leader writes it down, and what an operator changed there stays (`jobs.md` 4.6). */
export function defineSchedule<D extends TSchema, R extends TSchema = TSchema> (
  schedule: { name: string, job: JobDefinition<D, R>, data: Static<D>, spec: RecurrenceSpec } & Partial<SchedulePolicy>
): ScheduleDefinition<D> {
  return withPolicy(schedule) as unknown as ScheduleDefinition<D>
}
