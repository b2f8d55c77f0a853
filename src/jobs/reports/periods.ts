import { Temporal } from 'temporal-polyfill'
import type { ReportPeriod } from '../../kernel/index.ts'

export interface PeriodRange { from: Date, to: Date }

const forms: Record<ReportPeriod, RegExp> = { day: /^\d{4}-\d{2}-\d{2}$/, month: /^\d{4}-\d{2}$/ }
/** Local hour at which the day before is reported. */
const reportHour = 2

export function isZone (zone: string): boolean {
  try {
    Temporal.PlainDate.from('2026-01-01').toZonedDateTime(zone)
    return true
  } catch {
    return false
  }
}

/** Bounds of a day or month in a zone; undefined where the text names none. Gaps move midnight forward. */
export function rangeOf (period: ReportPeriod, text: string, zone: string): PeriodRange | undefined {
  if (!forms[period].test(text) || !isZone(zone)) return undefined
  try {
    const from = Temporal.PlainDate.from(period === 'day' ? text : `${text}-01`)
    const to = from.add(period === 'day' ? { days: 1 } : { months: 1 })
    const instantOf = (day: Temporal.PlainDate): Date => new Date(day.toZonedDateTime(zone).epochMilliseconds)
    return { from: instantOf(from), to: instantOf(to) }
  } catch {
    return undefined
  }
}

/** The local day that is due to be reported: yesterday once it is 02:00 there, else the day before it. */
export function dueDay (now: Date, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(zone)
  return local.toPlainDate().subtract({ days: local.hour >= reportHour ? 1 : 2 }).toString()
}
