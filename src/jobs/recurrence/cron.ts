import { CronExpression, CronExpressionParser } from 'cron-parser'
import type { Plan } from './plan.ts'
import { merge, monthsWithout } from './merge.ts'

/** `H` draws a minute at random, anew in each process. */
const hashed = /(^|[\s,])H($|[\s,(/])/i

/** Wall times of a cron text. Throws an Error whose message says what is wrong with it. */
export function planCron (text: string, monthEnd: 'skip' | 'clamp'): Plan {
  const fields = text.trim().split(/\s+/)
  if (!text.startsWith('@') && fields.length !== 5 && fields.length !== 6) throw new Error('it needs 5 or 6 fields')
  if (hashed.test(text)) throw new Error('H is not understood here')
  const { fields: parsed } = CronExpressionParser.parse(text.trim(), { tz: 'UTC' })
  const isAsked = monthEnd === 'clamp' && !parsed.dayOfMonth.isWildcard
  const days = isAsked ? (parsed.dayOfMonth.values as readonly unknown[]).filter(isNumber) : []
  const missing = days.flatMap(monthsWithout).filter((month) =>
    (parsed.month.values as readonly number[]).includes(month))
  const lastDays = missing.length === 0 ? [] : [onLastDays(text.trim(), [...new Set(missing)])]
  const all = [parsed, ...lastDays]
  return {
    kind: 'wall',
    isOpen: parsed.hour.values.length === 24,
    walls: (afterMs) => merge(all.map((one) => wallsOf(one, afterMs)))
  }
}

type Fields = CronExpression['fields']

/** The same times of day on the last day of some months. */
function onLastDays (text: string, months: number[]): Fields {
  const fields = text.split(/\s+/)
  const times = fields.slice(0, fields.length - 3)
  return CronExpressionParser.parse([...times, 'L', months.join(','), '*'].join(' '), { tz: 'UTC' }).fields
}

function isNumber (value: unknown): value is number {
  return typeof value === 'number'
}

function * wallsOf (fields: Fields, afterMs: number): Generator<number> {
  const cron = CronExpression.fieldsToExpression(fields, { tz: 'UTC', currentDate: new Date(afterMs) })
  for (;;) {
    const next = nextOf(cron)
    if (next === undefined) return
    yield next
  }
}

/** The library gives up after 10,000 steps: then there is none. */
function nextOf (cron: CronExpression): number | undefined {
  try {
    return cron.next().getTime()
  } catch {
    return undefined
  }
}
