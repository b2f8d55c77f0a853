import { RRuleTemporal } from 'rrule-temporal'
import { Temporal } from 'temporal-polyfill'
import { merge, monthsWithout } from './merge.ts'
import type { Plan } from './plan.ts'
import { instantsOf, wallAt } from './zones.ts'

/** A rule that libraries read differently, or that never comes true: refused rather than guessed. */
export class UnsupportedRule extends Error {}

const maxSteps = 20_000
const dayMs = 86_400_000
const hourMs = 3_600_000
const number = (most: number) => new RegExp(`^[+]?0*(${Array.from({ length: most + 1 }, (_, n) => n).join('|')})$`)
const day = '(MO|TU|WE|TH|FR|SA|SU)'

/** The accepted parts, with what one value of each looks like. */
const parts: Record<string, RegExp> = {
  FREQ: /^(YEARLY|MONTHLY|WEEKLY|DAILY|HOURLY|MINUTELY|SECONDLY)$/,
  INTERVAL: /^[1-9]\d{0,4}$/,
  COUNT: /^[1-9]\d{0,4}$/,
  UNTIL: /^\d{8}(T\d{6}Z?)?$/,
  BYMONTH: /^(0?[1-9]|1[0-2])$/,
  BYMONTHDAY: /^[+-]?(0?[1-9]|[12]\d|3[01])$/,
  BYDAY: new RegExp(`^([+-]?[1-9]\\d?)?${day}$`),
  BYSETPOS: /^[+-]?[1-9]\d{0,2}$/,
  BYHOUR: number(23),
  BYMINUTE: number(59),
  WKST: new RegExp(`^${day}$`)
}
const lists = new Set(['BYMONTH', 'BYMONTHDAY', 'BYDAY', 'BYSETPOS', 'BYHOUR', 'BYMINUTE'])
const stepOf: Record<string, number> = { HOURLY: hourMs, MINUTELY: 60_000, SECONDLY: 1000 }

type Rule = ReadonlyMap<string, string>

/** Wall times of an RRULE. Throws `UnsupportedRule`, or an Error that says what is wrong with the text. */
export function planRrule (
  text: string, { dtstartMs, zone, monthEnd }: { dtstartMs: number, zone: string, monthEnd: 'skip' | 'clamp' }
): Plan {
  const rule = read(text)
  refuse(rule)
  const until = untilOf(rule.get('UNTIL'), zone)
  const stepMs = (stepOf[textOf(rule, 'FREQ')] ?? Infinity) * Number(rule.get('INTERVAL') ?? 1)
  const isShort = stepMs <= hourMs
  if (isShort && ![...rule.keys()].some((name) => lists.has(name))) {
    const firstMs = instantsOf(dtstartMs, zone).instants[0] as number
    const lastMs = firstMs + (countOf(rule) - 1) * stepMs
    return { kind: 'elapsed', firstMs, stepMs, lastMs: Math.min(until.instantMs, lastMs) }
  }
  return {
    kind: 'wall',
    isOpen: isShort && !rule.has('BYHOUR'),
    walls: wallsOf(rule, { dtstartMs, untilMs: until.wallMs, monthEnd }),
    ...(until.isInstant ? { untilMs: until.instantMs } : {})
  }
}

const textOf = (rule: Rule, name: string): string => rule.get(name) ?? ''
const countOf = (rule: Rule): number => Number(rule.get('COUNT') ?? Infinity)

function read (text: string): Rule {
  const rule = new Map<string, string>()
  for (const part of text.trim().toUpperCase().replace(/^RRULE:/, '').split(';')) {
    const [name = '', value = '', ...more] = part.split('=')
    const one = parts[name]
    if (one === undefined) throw new UnsupportedRule(`${name.slice(0, 40)} is not understood here`)
    const values = lists.has(name) ? value.split(',') : [value]
    if (more.length > 0 || rule.has(name) || values.length > 366 || !values.every((item) => one.test(item))) {
      throw new Error(`${name} is not valid`)
    }
    rule.set(name, value)
  }
  return rule
}

function refuse (rule: Rule): void {
  const freq = textOf(rule, 'FREQ')
  const isLong = freq === 'MONTHLY' || freq === 'YEARLY'
  if (freq === '') throw new Error('FREQ is missing')
  if (rule.has('COUNT') && rule.has('UNTIL')) throw new UnsupportedRule('COUNT and UNTIL exclude each other')
  if (freq === 'YEARLY' && rule.has('BYMONTHDAY') && !rule.has('BYMONTH')) {
    throw new UnsupportedRule('a yearly rule with BYMONTHDAY needs BYMONTH')
  }
  if (!isLong && /\d/.test(textOf(rule, 'BYDAY'))) {
    throw new UnsupportedRule('numbered days need MONTHLY or YEARLY')
  }
}

interface End { isInstant: boolean, instantMs: number, wallMs: number | undefined }

/** The end of a rule: an instant where it says Z, else a wall time; a day counts whole. */
function untilOf (text: string | undefined, zone: string): End {
  if (text === undefined) return { isInstant: false, instantMs: Infinity, wallMs: undefined }
  const [, y, m, d, hour = '23', minute = '59', second = '59'] =
    /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d))?/.exec(text) ?? []
  const ms = Date.parse(`${y}-${m}-${d}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(ms)) throw new Error('UNTIL is not valid')
  const isInstant = text.endsWith('Z')
  return isInstant
    // Wall times of a fold come twice: the exact end is looked at once they are instants.
    ? { isInstant, instantMs: ms, wallMs: wallAt(ms, zone) + dayMs }
    : { isInstant, instantMs: instantsOf(ms, zone).instants.at(-1) as number, wallMs: ms }
}

function wallsOf (
  rule: Rule, { dtstartMs, untilMs, monthEnd }: {
    dtstartMs: number, untilMs: number | undefined, monthEnd: 'skip' | 'clamp'
  }
): (afterMs: number) => Iterable<number> {
  const { exact, more } = monthEnd === 'clamp' ? clamped(rule, dtstartMs) : { exact: rule, more: [] }
  if (more.length === 0) {
    const expander = expanderOf(exact, dtstartMs, untilMs)
    return (afterMs) => follow(expander, afterMs)
  }
  const count = countOf(rule)
  const all = [exact, ...more].map((one) => expanderOf(without(one, 'COUNT'), dtstartMs, untilMs))
  // What is counted is what comes out, so counting begins at the start.
  return (afterMs) => count === Infinity
    ? merge(all.map((one) => follow(one, afterMs)))
    : take(merge(all.map((one) => follow(one, dtstartMs - 1))), count, afterMs)
}

/** The rule with its days named, and rules for the last day of the months that lack one of them. */
function clamped (rule: Rule, dtstartMs: number): { exact: Rule, more: Rule[] } {
  if (rule.has('BYSETPOS')) throw new UnsupportedRule('BYSETPOS does not go with clamped month ends')
  const exact = withDay(rule, new Date(dtstartMs))
  const wanted = exact.get('BYMONTH')?.split(',').map(Number)
  const missing = textOf(exact, 'BYMONTHDAY').split(',').flatMap((one) => monthsWithout(Number(one)))
    .filter((month) => wanted?.includes(month) ?? true)
  if (missing.length === 0) return { exact, more: [] }
  return { exact, more: [new Map([...exact, ['BYMONTHDAY', '-1'], ['BYMONTH', [...new Set(missing)].join(',')]])] }
}

/** Names the day that a rule takes from its start. */
function withDay (rule: Rule, start: Date): Rule {
  const freq = textOf(rule, 'FREQ')
  const isLong = freq === 'MONTHLY' || freq === 'YEARLY'
  if (!isLong || rule.has('BYDAY') || rule.has('BYMONTHDAY')) return rule
  const month: Array<[string, string]> = freq === 'YEARLY' && !rule.has('BYMONTH')
    ? [['BYMONTH', String(start.getUTCMonth() + 1)]]
    : []
  return new Map([...rule, ['BYMONTHDAY', String(start.getUTCDate())], ...month])
}

function without (rule: Rule, name: string): Rule {
  return new Map([...rule].filter(([part]) => part !== name))
}

function expanderOf (rule: Rule, dtstartMs: number, untilMs: number | undefined): RRuleTemporal {
  const until = untilMs === undefined ? '' : `;UNTIL=${new Date(untilMs).toISOString().replace(/[-:]|\.\d+/g, '')}`
  const text = [...without(rule, 'UNTIL')].map((part) => part.join('=')).join(';')
  try {
    return new RRuleTemporal({
      rruleString: text + until, dtstart: zonedOf(dtstartMs), maxIterations: maxSteps
    }) as RRuleTemporal
  } catch (cause) {
    throw new UnsupportedRule('the rule cannot be read', { cause })
  }
}

function zonedOf (wallMs: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO('UTC')
}

function * follow (expander: RRuleTemporal, afterMs: number): Generator<number> {
  for (let at = nextOf(expander, afterMs); at !== undefined; at = nextOf(expander, at)) yield at
}

/** Throws `UnsupportedRule` where the library goes its 20,000 steps without a hit. */
function nextOf (expander: RRuleTemporal, afterMs: number): number | undefined {
  try {
    return expander.next(new Date(afterMs))?.epochMilliseconds
  } catch (cause) {
    throw new UnsupportedRule(`the rule has no hit in ${maxSteps} steps`, { cause })
  }
}

function * take (walls: Iterable<number>, count: number, afterMs: number): Generator<number> {
  let taken = 0
  for (const wall of walls) {
    if (taken++ >= count) return
    if (wall > afterMs) yield wall
  }
}
