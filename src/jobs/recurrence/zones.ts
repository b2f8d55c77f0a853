import { Temporal } from 'temporal-polyfill'
import type { Dst } from '../../kernel/index.ts'

/** A stretch of time in which a zone keeps its offset; milliseconds, the end excluded. */
interface Stretch { fromMs: number, toMs: number, offsetMs: number }

/** No zone ever changed its offset by more than a day. */
const reachMs = 48 * 3_600_000
const stretches = new Map<string, Stretch[]>()

export function isZone (zone: string): boolean {
  try {
    return zonedAt(0, zone).timeZoneId !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Wall times are counted as if they were of UTC. Undefined where the text is not a wall time. */
export function wallMsOf (text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?$/.test(text)) return undefined
  try {
    return Temporal.PlainDateTime.from(text).toZonedDateTime('UTC').epochMilliseconds
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

export function wallText (wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 19)
}

/** The wall time that clocks of the zone show at an instant. */
export function wallAt (ms: number, zone: string): number {
  return ms + stretchAt(zone, ms).offsetMs
}

/** Smallest and greatest offset of the zone within two days of a time, whether that is a wall time or an instant. */
export function offsetsAround (zone: string, ms: number): { min: number, max: number } {
  let stretch = stretchAt(zone, ms - reachMs)
  let min = stretch.offsetMs
  let max = stretch.offsetMs
  while (stretch.toMs <= ms + reachMs) {
    stretch = stretchAt(zone, stretch.toMs)
    min = Math.min(min, stretch.offsetMs)
    max = Math.max(max, stretch.offsetMs)
  }
  return { min, max }
}

/** Instants of a wall time: in a gap one, later by the gap's length; in a fold both passes. */
export function instantsOf (wallMs: number, zone: string): { instants: number[], dst: Dst } {
  const { min, max } = offsetsAround(zone, wallMs)
  if (min === max) return { instants: [wallMs - min], dst: null }
  const wall = Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO('UTC').toPlainDateTime()
  const earlier = wall.toZonedDateTime(zone, { disambiguation: 'earlier' })
  const later = wall.toZonedDateTime(zone, { disambiguation: 'later' })
  if (earlier.epochMilliseconds === later.epochMilliseconds) {
    return { instants: [earlier.epochMilliseconds], dst: null }
  }
  return earlier.toPlainDateTime().equals(wall)
    ? { instants: [earlier.epochMilliseconds, later.epochMilliseconds], dst: 'fold' }
    : { instants: [later.epochMilliseconds], dst: 'gap' }
}

function stretchAt (zone: string, ms: number): Stretch {
  const known = stretches.get(zone) ?? []
  const there = known.find(({ fromMs, toMs }) => fromMs <= ms && ms < toMs)
  if (there !== undefined) return there
  const zoned = zonedAt(ms, zone)
  const found = {
    // A transition at this very instant begins the stretch.
    fromMs: zonedAt(ms + 1, zone).getTimeZoneTransition('previous')?.epochMilliseconds ?? -Infinity,
    toMs: zoned.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity,
    offsetMs: zoned.offsetNanoseconds / 1e6
  }
  stretches.set(zone, [...known, found])
  return found
}

function zonedAt (ms: number, zone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone)
}
