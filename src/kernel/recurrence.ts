/**
 * A rule in time, one of `cron`, `everyMs` or `rrule` with its `dtstart` (`jobs.md` 4.6); wall times are of the zone
 * that is named beside it.
 */
export interface RecurrenceSpec {
  /** Five fields, six with seconds first, or a word as `@daily`. */
  cron?: string
  /** Elapsed time between two slots, counted from the epoch. */
  everyMs?: number
  /** The parts of an RRULE (RFC 5545), without DTSTART. */
  rrule?: string
  /** First wall time of an `rrule`, as `2026-01-31T09:00:00`. */
  dtstart?: string
  /** What a day that a month does not have becomes: nothing (default), or the month's last day. */
  monthEnd?: 'skip' | 'clamp'
  /** Which pass of a repeated hour counts; default the first. */
  fold?: 'first' | 'second'
}

export interface Recurring { spec: RecurrenceSpec, zone: string }

export type Dst = 'gap' | 'fold' | null

export interface Occurrence {
  at: Date
  /** The wall time that the rule says, as `2026-01-31T09:00:00`; in a gap no clock ever shows it. */
  wall: string
  dst: Dst
}

/** The one expander of rules in time. Pure: the same answer for the same zone data. */
export interface Recurrence {
  /** Occurrences after `after`, `until` included, ascending, the first `limit` of them (default 1,000). */
  between (recurring: Recurring, range: { after: Date, until: Date, limit?: number }): Occurrence[]
  next (recurring: Recurring, after: Date): Occurrence | undefined
  /**
   * Instants of a wall time: one; in a gap one, later by the length of the gap; in a fold both passes.
   * Throws `jobs.zone_unknown`, `jobs.schedule_invalid`.
   */
  instantsOf (wall: string, zone: string): { instants: Date[], dst: Dst }
  /** What clocks of the zone show at an instant. */
  wallOf (at: Date, zone: string): string
  /** Throws `jobs.schedule_invalid`, `jobs.rrule_unsupported`, `jobs.zone_unknown`, each with the field. */
  check (recurring: Recurring): void
}
