import type { Dst, Occurrence, Recurrence, RecurrenceSpec, Recurring } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { planCron } from './recurrence/cron.ts'
import type { Plan } from './recurrence/plan.ts'
import { UnsupportedRule, planRrule } from './recurrence/rrule.ts'
import { instantsOf, isZone, offsetsAround, wallAt, wallMsOf, wallText } from './recurrence/zones.ts'

const minEveryMs = 1000
const maxEveryMs = 366 * 86_400_000
const maxPlans = 2000
/** An instant that is not sure to be the next one yet. */
interface Held { atMs: number, wallMs: number, dst: Dst }

/** The only expander of the product (`jobs.md` 4.6): wall times without a zone first, each to its instant then. */
export function createRecurrence (): Recurrence {
  const plans = new Map<string, Plan>()

  function planOf ({ spec, zone }: Recurring): Plan {
    const { cron, everyMs, rrule, dtstart, monthEnd } = spec
    const name = JSON.stringify([zone, cron, everyMs, rrule, dtstart, monthEnd])
    const known = plans.get(name)
    if (known !== undefined) return known
    const plan = makePlan(spec, zone)
    if (plans.size >= maxPlans) plans.delete(plans.keys().next().value as string)
    plans.set(name, plan)
    return plan
  }

  function * after (recurring: Recurring, afterMs: number): Generator<Occurrence> {
    const plan = planOf(recurring)
    if (plan.kind === 'elapsed') yield * elapsed(plan, recurring.zone, afterMs)
    else yield * converted(plan, recurring, afterMs)
  }

  return {
    between (recurring, { after: from, until, limit = 1000 }) {
      const found: Occurrence[] = []
      if (limit <= 0) return found
      for (const one of after(recurring, from.getTime())) {
        if (one.at > until) break
        found.push(one)
        if (found.length >= limit) break
      }
      return found
    },

    next (recurring, from) {
      const { value } = after(recurring, from.getTime()).next() as IteratorResult<Occurrence, undefined>
      return value
    },

    instantsOf (wall, zone) {
      checkZone(zone)
      const wallMs = wallMsOf(wall)
      if (wallMs === undefined) throw invalid('wall', 'is not a wall time')
      const { instants, dst } = instantsOf(wallMs, zone)
      return { instants: instants.map((ms) => new Date(ms)), dst }
    },

    wallOf: (at, zone) => wallText(wallAt(at.getTime(), zone)),

    check (recurring) {
      const { rrule, cron, dtstart } = recurring.spec
      const plan = planOf(recurring)
      if (plan.kind === 'elapsed') return
      const fromMs = rrule === undefined ? 0 : (wallMsOf(dtstart ?? '') ?? 0) - 1
      // The first hit shows that there is one.
      const { done } = attempt('rrule', () => plan.walls(fromMs)[Symbol.iterator]().next())
      if (done === true) throw invalid(cron === undefined ? 'rrule' : 'cron', 'has no hit')
    }
  }
}

function * elapsed (
  { firstMs, stepMs, lastMs }: Plan & { kind: 'elapsed' }, zone: string, afterMs: number
): Generator<Occurrence> {
  const skipped = Math.max(0, Math.floor((afterMs - firstMs) / stepMs) + 1)
  for (let atMs = firstMs + skipped * stepMs; atMs <= lastMs; atMs += stepMs) {
    yield toOccurrence({ atMs, wallMs: wallAt(atMs, zone), dst: null })
  }
}

/** Instants in their order, each once: near a gap a later wall time may be the earlier instant. */
function * converted (
  plan: Plan & { kind: 'wall' }, { spec, zone }: Recurring, afterMs: number
): Generator<Occurrence> {
  const { untilMs = Infinity } = plan
  let held: Held[] = []
  for (const wallMs of plan.walls(afterMs + offsetsAround(zone, afterMs).min)) {
    const earliestMs = wallMs - offsetsAround(zone, wallMs).max
    if (held.length > 0) {
      const sure = held.filter(({ atMs }) => atMs < earliestMs)
      held = held.filter(({ atMs }) => atMs >= earliestMs)
      yield * sure.map(toOccurrence)
    }
    for (const one of instantsFor(wallMs, plan.isOpen, { spec, zone })) {
      if (one.atMs > afterMs && one.atMs <= untilMs) held = hold(held, one)
    }
    if (earliestMs > untilMs) break
  }
  yield * held.map(toOccurrence)
}

function instantsFor (wallMs: number, isOpen: boolean, { spec, zone }: Recurring): Held[] {
  const { instants, dst } = instantsOf(wallMs, zone)
  if (isOpen) return dst === 'gap' ? [] : instants.map((atMs) => ({ atMs, wallMs, dst }))
  const atMs = (spec.fold === 'second' ? instants.at(-1) : instants[0]) as number
  return [{ atMs, wallMs, dst }]
}

/** Two wall times that meet in one instant are one; the one that clocks show is kept. */
function hold (held: readonly Held[], one: Held): Held[] {
  const twin = held.find(({ atMs }) => atMs === one.atMs)
  if (twin !== undefined && one.dst === 'gap') return [...held]
  return [...held.filter((other) => other !== twin), one].sort((a, b) => a.atMs - b.atMs)
}

function toOccurrence ({ atMs, wallMs, dst }: Held): Occurrence {
  return { at: new Date(atMs), wall: wallText(wallMs), dst }
}

function makePlan (spec: RecurrenceSpec, zone: string): Plan {
  const { cron, everyMs, rrule, dtstart, monthEnd = 'skip' } = spec
  if ([cron, everyMs, rrule].filter((one) => one !== undefined).length !== 1) {
    throw invalid('', 'needs one of cron, everyMs and rrule')
  }
  checkZone(zone)
  if (everyMs !== undefined) return planEvery(everyMs)
  if (cron !== undefined) return attempt('cron', () => planCron(cron, monthEnd))
  const dtstartMs = wallMsOf(dtstart ?? '')
  if (dtstartMs === undefined) throw invalid('dtstart', 'is not a wall time such as 2026-01-31T09:00:00')
  return attempt('rrule', () => planRrule(rrule as string, { dtstartMs, zone, monthEnd }))
}

function planEvery (everyMs: number): Plan {
  if (!Number.isInteger(everyMs) || everyMs < minEveryMs || everyMs > maxEveryMs) {
    throw invalid('everyMs', `is not a whole number from ${minEveryMs} to ${maxEveryMs}`)
  }
  return { kind: 'elapsed', firstMs: 0, stepMs: everyMs, lastMs: Infinity }
}

function checkZone (zone: string): void {
  if (!isZone(zone)) throw JobsError.zone_unknown({ zone }, { errors: [field('/zone', 'is not known')] })
}

function attempt<T> (name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { message } = error as Error
    if (!(error instanceof UnsupportedRule)) throw invalid(name, message)
    throw JobsError.rrule_unsupported({}, {
      detail: `rrule: ${message}`, errors: [field('/spec/rrule', message)], cause: error
    })
  }
}

function invalid (name: string, detail: string): Error {
  return JobsError.schedule_invalid({}, {
    detail: `${name || 'spec'} ${detail}`, errors: [field(name === '' ? '/spec' : `/spec/${name}`, detail)]
  })
}

function field (pointer: string, detail: string) {
  return { in: 'body' as const, pointer, code: 'invalid', detail }
}
