import type { Dst, RecurrenceSpec, SchedulePolicy } from '../../kernel/index.ts'

/** What a schedule does and how; declared in code, made by an operator, or one over the other. */
export interface ScheduleSettings extends SchedulePolicy {
  job: string
  data: unknown
  spec: RecurrenceSpec
}

/** A document of `jobs.schedules`; its settings are those in force. */
export interface ScheduleRow extends ScheduleSettings {
  _id: string
  /** Empty: of the installation. */
  workspaceId: string
  name: string
  /** Every slot up to here is settled. */
  lastSlotAt: Date
  nextSlotAt: Date | null
  failures: number
  /** Runs that ended before do not count as failures any more. */
  failuresFrom: Date
  /** Version of the settings. */
  rev: number
  /** Raised by what settles slots out of turn, so that two decisions about one schedule conflict. */
  turns: number
  /** Version of the zone data by which `nextSlotAt` was found. */
  zoneData: string
  /** Why it is paused; null while it is not. */
  pausedFor: string | null
  /** The code declared it once and does not any more. */
  isRetired: boolean
  declared: ScheduleSettings | null
  override: Partial<ScheduleSettings>
  createdAt: Date
  updatedAt: Date
}

/** What becomes of a run that could go: it goes, not at all, after the one before, or once something is free. */
export type Verdict = 'fire' | 'skip' | 'buffer' | 'wait' | 'blackout'

/** A document of `jobs.slots`. */
export interface SlotRow {
  _id: string
  scheduleId: string
  workspaceId: string
  slotAt: Date
  wall: string
  dst: Dst
  outcome: Verdict | 'missed'
  reasons: string[]
  runId: string | null
  lateMs: number
  by: 'ticker' | 'trigger' | 'backfill'
  decidedAt: Date
}

/** The settings in force: what an operator said goes over what the code says. */
export function settingsOf (
  { declared, override, isRetired }: Pick<ScheduleRow, 'declared' | 'override' | 'isRetired'>
): ScheduleSettings {
  const merged = { ...declared, ...override } as ScheduleSettings
  return { ...merged, isEnabled: merged.isEnabled && !isRetired }
}
