import { Temporal } from 'temporal-polyfill'

/** The local day of an instant, as `YYYY-MM-DD`. */
export function dayOf (at: Date, zone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone).toPlainDate().toString()
}

/** The instant of a text: a local day begins at its first moment in the zone. Undefined where it is neither. */
export function instantOf (text: string, zone: string): Date | undefined {
  try {
    return new Date(text.length === 10
      ? Temporal.PlainDate.from(text).toZonedDateTime(zone).epochMilliseconds
      : Temporal.Instant.from(text).epochMilliseconds)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

export function isZone (zone: string): boolean {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone).timeZoneId !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Days between two instants, counted on the calendar of the zone. */
export function daysBetween (from: Date, to: Date, zone: string): number {
  const [a, b] = [from, to].map((at) => Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone))
  const span = a!.until(b!, { largestUnit: 'day' })
  return span.days + (span.with({ days: 0 }).blank ? 0 : 1)
}
