// Rules near changes of the clock, with instants computed from a table of zones that is not the one under test.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Recurring } from '../../../src/kernel/index.ts'
import { dice, type Dice } from './dice.ts'
import { zonesFile } from './vectors.ts'

export interface ZoneCase { name: string, recurring: Recurring, after: Date, want: string[] }

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** A zone of the table: offsets east of UTC, each until its instant; milliseconds. */
interface Zone { name: string, offsets: number[], untils: number[] }

interface Change { zone: Zone, atMs: number, beforeMs: number, afterMs: number }

const mostly = ['Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca']
const firstMs = Date.UTC(2000, 0, 1)
const lastMs = Date.UTC(2024, 11, 1)

/** The same cases each time: in gaps, in folds, around both, in open hours, on leap days and short months. */
export function zoneCases (count: number): ZoneCase[] {
  const { zones } = JSON.parse(gunzipSync(readFileSync(zonesFile)).toString()) as { zones: string[] }
  const all = zones.map(unpack)
  const changes = all.flatMap(changesOf)
  const special = changes.filter(({ zone }) => mostly.includes(zone.name))
  const random = dice(10)
  return Array.from({ length: count }, (_, i) => {
    const change = random.one(i % 4 === 0 ? special : changes)
    if (i % 5 === 4) return openHour(change, random)
    return i % 5 === 3 ? lateInMonth(change.zone, random) : daily(change, random)
  })
}

/** A time of day in the gap or fold, or up to an hour around it, on five days. */
function daily ({ zone, atMs, beforeMs, afterMs }: Change, random: Dice): ZoneCase {
  const [from, to] = [atMs + Math.min(beforeMs, afterMs), atMs + Math.max(beforeMs, afterMs)]
  const wallMs = from + random.whole(-4, Math.floor((to - from) / (15 * minuteMs)) + 4) * 15 * minuteMs
  const fold = random.one(['first', 'second'] as const)
  const startMs = wallMs - 2 * dayMs
  const [hour, minute] = [new Date(wallMs).getUTCHours(), new Date(wallMs).getUTCMinutes()]
  const spec = random.one([
    { cron: `${minute} ${hour} * * *` },
    { rrule: `FREQ=DAILY;BYHOUR=${hour};BYMINUTE=${minute}`, dtstart: new Date(startMs).toISOString().slice(0, 19) }
  ])
  const instants = [0, 1, 2, 3, 4].map((day) => instantOf(zone, startMs + day * dayMs, fold))
  return toCase(`daily ${hour}:${minute}`, { spec: { ...spec, fold }, zone: zone.name }, instants)
}

/** Every instant of six hours at which clocks show the minute. */
function openHour ({ zone, atMs }: Change, random: Dice): ZoneCase {
  const minute = random.one([0, 5, 15, 30, 45, 59])
  const instants: number[] = []
  for (let ms = atMs - 180 * minuteMs; ms < atMs + 180 * minuteMs; ms += minuteMs) {
    if (new Date(ms + offsetAt(zone, ms)).getUTCMinutes() === minute) instants.push(ms)
  }
  return toCase(`each hour at ${minute}`, { spec: { cron: `${minute} * * * *` }, zone: zone.name }, instants)
}

/** The 29th to 31st, skipped or clamped, through two leap days. */
function lateInMonth (zone: Zone, random: Dice): ZoneCase {
  const day = random.whole(29, 31)
  const monthEnd = random.one(['skip', 'clamp'] as const)
  const hour = random.whole(0, 23)
  const year = random.one([2000, 2004, 2008, 2012, 2016])
  const instants: number[] = []
  for (let month = 0; month < 62; month++) {
    const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
    if (day > last && monthEnd === 'skip') continue
    instants.push(instantOf(zone, Date.UTC(year, month, Math.min(day, last), hour), 'first'))
  }
  const spec = random.one([
    { cron: `0 ${hour} ${day} * *`, monthEnd },
    { rrule: `FREQ=MONTHLY;BYMONTHDAY=${day};BYHOUR=${hour};BYMINUTE=0`, dtstart: `${year}-01-01T00:00:00`, monthEnd }
  ])
  return toCase(`the ${day}, ${monthEnd}`, { spec, zone: zone.name }, instants)
}

function toCase (name: string, recurring: Recurring, instants: readonly number[]): ZoneCase {
  const want = [...new Set(instants)].toSorted((a, b) => a - b)
  return {
    name: `${name} in ${recurring.zone} ${JSON.stringify(recurring.spec)}`,
    recurring,
    after: new Date((want[0] as number) - 1),
    want: want.map((ms) => new Date(ms).toISOString())
  }
}

/** The instant of a wall time: the asked pass of a fold, later by its length in a gap. */
function instantOf (zone: Zone, wallMs: number, fold: 'first' | 'second'): number {
  const offsets = [...new Set(zone.offsets)]
  const real = offsets.map((offset) => wallMs - offset).filter((ms) => wallMs - ms === offsetAt(zone, ms))
    .toSorted((a, b) => a - b)
  if (real.length > 0) return (fold === 'first' ? real[0] : real.at(-1)) as number
  const [gap] = changesOf(zone).filter(({ atMs, beforeMs, afterMs }) =>
    atMs + beforeMs <= wallMs && wallMs < atMs + afterMs)
  if (gap === undefined) throw new Error(`no instant for ${wallMs} in ${zone.name}`)
  return wallMs - gap.beforeMs
}

function offsetAt ({ offsets, untils }: Zone, ms: number): number {
  return offsets[untils.findIndex((until) => ms < until)] as number
}

function changesOf (zone: Zone): Change[] {
  return zone.untils.flatMap((atMs, i) => {
    const [beforeMs, afterMs] = [zone.offsets[i], zone.offsets[i + 1]]
    const isOurs = atMs >= firstMs && atMs <= lastMs && beforeMs !== afterMs
    return isOurs && beforeMs !== undefined && afterMs !== undefined ? [{ zone, atMs, beforeMs, afterMs }] : []
  })
}

/** `name|names|offsets|indices|untils`: minutes in base 60, offsets counted to the west, times as differences. */
function unpack (packed: string): Zone {
  const [name = '', , offsets = '', indices = '', untils = ''] = packed.split('|')
  const west = offsets.split(' ').map(base60)
  let sinceMs = 0
  const ends = untils.split(' ').filter((one) => one !== '').map((one) => {
    sinceMs = Math.round(sinceMs + base60(one) * minuteMs)
    return sinceMs
  })
  return {
    name,
    offsets: [...indices].map((index) => Math.round(-(west[base60(index)] ?? 0) * minuteMs)),
    untils: [...ends, Infinity]
  }
}

function base60 (text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const [whole = '', rest = ''] = text.replace('-', '').split('.')
  const value = [...whole].reduce((sum, digit) => sum * 60 + digitOf(digit), 0)
  return sign * [...rest].reduce((sum, digit, i) => sum + digitOf(digit) / 60 ** (i + 1), value)
}

function digitOf (digit: string): number {
  const code = digit.charCodeAt(0)
  if (code > 96) return code - 87
  return code > 64 ? code - 29 : code - 48
}
