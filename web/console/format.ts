import { signal } from '@preact/signals'

/** The present, moved once a second; what shows an age reads it. */
export const now = signal(Date.now())
setInterval(() => { if (!document.hidden) now.value = Date.now() }, 1000)

const whole = new Intl.NumberFormat('en')
const exact = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'long' })
const dayOf = new Intl.DateTimeFormat('en', { dateStyle: 'medium' })

export function count (value: number): string {
  return whole.format(value)
}

const byteUnits = ['B', 'KB', 'MB', 'GB', 'TB']

/** 1,960,703 is `1.9 MB`. */
export function bytes (value: number): string {
  let rest = value
  let unit = 0
  while (rest >= 1000 && unit < byteUnits.length - 1) {
    rest /= 1024
    unit++
  }
  return `${rest.toFixed(unit === 0 || rest >= 100 ? 0 : 1)} ${byteUnits[unit]}`
}

const steps: ReadonlyArray<[number, string]> = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'min'], [1000, 's']]

/** A span in its largest unit: `3 h`. */
export function span (ms: number): string {
  for (const [size, unit] of steps) if (Math.abs(ms) >= size) return `${Math.floor(Math.abs(ms) / size)} ${unit}`
  return '0 s'
}

/** An instant as a person says it: `4 min ago`, `in 12 min`, a date beyond a week. */
export function relative (at: string | number, nowMs: number): string {
  const ms = nowMs - new Date(at).getTime()
  if (Math.abs(ms) < 5000) return 'now'
  if (Math.abs(ms) > 7 * 86_400_000) return dayOf.format(new Date(at))
  return ms > 0 ? `${span(ms)} ago` : `in ${span(ms)}`
}

/** The instant with its zone, for a title. */
export function instant (at: string | number): string {
  return exact.format(new Date(at))
}

/** `0190a1b2…9f3c`, enough to compare by eye. */
export function shortId (id: string): string {
  return id.length <= 14 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`
}

export function plural (value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}
