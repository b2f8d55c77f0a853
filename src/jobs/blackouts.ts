import type { Blackout } from '../kernel/index.ts'

type Daily = Exclude<Blackout, { from: Date }>

const dayMinutes = 1440
const minuteMs = 60_000
const formats = new Map<string, Intl.DateTimeFormat>()
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** Until when a blackout covers the instant; null where none does. Of a daily one, by the wall time of its zone. */
export function blackoutUntil (blackouts: readonly Blackout[], at: Date): Date | null {
  const ends = blackouts.flatMap((one) => endOf(one, at) ?? [])
  return ends.length === 0 ? null : new Date(Math.max(...ends))
}

function endOf (blackout: Blackout, at: Date): number | undefined {
  if ('from' in blackout) {
    return at >= blackout.from && at < blackout.to ? blackout.to.getTime() : undefined
  }
  return endOfDaily(blackout, at)
}

function endOfDaily ({ daily, days, zone }: Daily, at: Date): number | undefined {
  const [from, to] = [minutesOf(daily.from), minutesOf(daily.to)]
  const wall = wallOf(at, zone)
  const isNight = from >= to
  const isMorning = isNight && wall.minutes < to
  const isCovered = wall.minutes >= from ? isNight || wall.minutes < to : isMorning
  // The morning counts to the day before.
  const day = isMorning ? (wall.day + 5) % 7 + 1 : wall.day
  if (!isCovered || days?.includes(day) === false) return undefined
  const left = (to - wall.minutes + dayMinutes) % dayMinutes || dayMinutes
  return Math.floor(at.getTime() / minuteMs) * minuteMs + left * minuteMs
}

function minutesOf (text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number)
  return hours * 60 + minutes
}

function wallOf (at: Date, zone: string): { day: number, minutes: number } {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23'
    })
    formats.set(zone, format)
  }
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]))
  return {
    day: weekdays.indexOf(parts['weekday'] ?? '') + 1,
    minutes: Number(parts['hour']) * 60 + Number(parts['minute'])
  }
}
