// P10 to P14: rules in time against tables of others, and the ticker against its own word.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { MongoClient } from 'mongodb'
import type { Proofs } from '../../../bin/proof.ts'
import { createRecurrence, type Obstacles } from '../../../src/jobs/index.ts'
import { overlaps, type Misfire, type Overlap, type Recurring, type RecurrenceSpec } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until, type Place } from '../../jobs/rig.ts'
import { checkStorm } from '../../jobs/storm.ts'
import { beat, handClock, timetable, type Timetable } from '../../jobs/timetable.ts'
import { dice, type Dice } from './dice.ts'
import { readVectors, vectorsFile } from './vectors.ts'
import { zoneCases } from './zone-cases.ts'

type Say = (line: string) => void

const recurrence = createRecurrence()
const minuteMs = 60_000
const hourMs = 60 * minuteMs

export const proofs: Proofs = {
  async P10 () {
    const { equal, unsupported } = vectors()
    const cases = zoneCases(200)
    for (const { name, recurring, after, want } of cases) {
      const got = instants(recurring, after, want.length)
      if (got.join() !== want.join()) throw new Error(`${name}: ${got.join(' ')} where ${want.join(' ')} is right`)
    }
    if (equal !== 50 || unsupported !== 27) throw new Error(`${equal} vectors equal, ${unsupported} refused`)
    const zones = new Set(cases.map(({ recurring }) => recurring.zone))
    return `50 rules equal, 27 rrule_unsupported, ${cases.length} cases in ${zones.size} zones equal`
  },

  async P11 ({ rounds = 50, say }) {
    let slots = 0
    for (let round = 1; round <= rounds; round++) {
      const found = await storm(say)
      slots += found.slots
      const wrong = found.undeclared + found.missing + found.double + found.runsMissing
      if (found.schedules !== 200 || wrong > 0) throw new Error(`round ${round}: ${JSON.stringify(found)}`)
      say(`round ${round} of ${rounds}: ${JSON.stringify(found)}`)
    }
    return `${rounds} storms of 8 processes, 200 schedules each time, ${slots} slots, 0 missing, 0 double`
  },

  async P12 ({ say }) {
    return await withTable('2026-05-04T00:00:30Z', undefined, async (table) => {
      let slots = 0
      for (const one of outages()) slots += await outage(table, one, say)
      return `${outages().length} schedules through 3 h, ${slots} slots as computed`
    })
  },

  async P14 ({ rounds = 500, say }) {
    return await withTable('2026-01-15T00:00:00Z', blackouts, async (table) => {
      const counts = new Map<string, number>()
      const random = dice(14)
      for (let i = 0; i < rounds; i++) {
        for (const verdict of await keepsItsWord(table, random, i)) counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
        if (i % 50 === 49) say(`${i + 1} of ${rounds} schedules: ${JSON.stringify([...counts])}`)
      }
      const all = [...counts.values()].reduce((sum, count) => sum + count, 0)
      const told = [...counts].map((pair) => pair.join(' ')).join(', ')
      return `${rounds} schedules, ${all} slots, 100 % as explained: ${told}`
    })
  }
}

function instants (recurring: Recurring, after: Date, limit: number): string[] {
  return recurrence.between(recurring, { after, until: new Date('2100-01-01'), limit })
    .map(({ at }) => at.toISOString())
}

function vectors (): { equal: number, unsupported: number } {
  let unsupported = 0
  let equal = 0
  for (const { rrule, dtstart, want } of readVectors(readFileSync(vectorsFile, 'utf8'))) {
    const recurring = { spec: { rrule, dtstart }, zone: 'UTC' }
    try {
      recurrence.check(recurring)
    } catch (error) {
      if ((error as { code?: string }).code !== 'jobs.rrule_unsupported') throw error
      unsupported++
      continue
    }
    // One more than wanted: a rule that ends must not go on.
    const more = /COUNT|UNTIL/.test(rrule) ? 1 : 0
    const got = instants(recurring, new Date(Date.parse(`${dtstart}Z`) - 1), want.length + more)
    if (got.join() !== want.join()) throw new Error(`${rrule} from ${dtstart}: ${got.join(' ')}`)
    equal++
  }
  return { equal, unsupported }
}

/** Eight processes boot at once; one in three rounds the leader is killed. */
let storms = 0
async function storm (say: Say) {
  const place = newPlace()
  const client = await new MongoClient(place.mongoUrl).connect()
  const db = client.db(place.name)
  const children = await bootAll(place)
  try {
    const slots = db.collection('jobs.slots')
    await until('slots of all schedules', async () => await slots.countDocuments() >= 400, 30_000)
    if (storms++ % 3 === 0) {
      const lease = await db.collection<{ _id: string, holder: { pid: number } }>('jobs.leases')
        .findOne({ _id: 'jobs.keeper:0' })
      const leader = children.find(({ pid }) => pid === lease?.holder.pid)
      leader?.kill('SIGKILL')
      say(`killed the leader ${leader?.pid ?? ''}`)
      const seen = await slots.countDocuments()
      await until('slots of the next leader', async () => await slots.countDocuments() >= seen + 400, 30_000)
    }
    for (const child of children) child.kill('SIGKILL')
    await sleep(50)
    return await checkStorm(db, 200)
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await client.close()
    await dropPlace(place)
  }
}

async function bootAll (place: Place): Promise<ChildProcess[]> {
  // Indexes first, as `migrate` does before anything is started.
  const first = await rig({ place, role: 'server' })
  await first.close()
  return await Promise.all(Array.from({ length: 8 }, async () => {
    const child = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'storm-process.ts'), JSON.stringify(place)
    ], { stdio: ['pipe', 'pipe', 'inherit'] })
    await Promise.race([
      once(createInterface(child.stdout), 'line'),
      once(child, 'exit').then(() => { throw new Error('a process ended before it was ready') })
    ])
    return child
  }))
}

async function withTable (
  at: string, obstacles: Obstacles | undefined, work: (table: Timetable, app: FastifyInstance) => Promise<string>
): Promise<string> {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared: { jobs: [beat] } })
  try {
    return await work(timetable(app, handClock(at), obstacles), app)
  } finally {
    await app.close()
    await dropPlace(place)
  }
}

interface Outage {
  misfire: Misfire
  everyMs: number
  spec: RecurrenceSpec
  catchUpMs: number | null
  backAfterMs: number
}

/** Intervals from a second to an hour, each misfire rule, back in the middle of an interval and right after a slot. */
function outages (): Outage[] {
  const specs: Array<[number, RecurrenceSpec]> = [
    [1000, { everyMs: 1000 }], [30_000, { everyMs: 30_000 }], [minuteMs, { cron: '* * * * *' }],
    [10 * minuteMs, { rrule: 'FREQ=MINUTELY;INTERVAL=10', dtstart: '2026-01-01T00:00:00' }],
    [hourMs, { cron: '0 * * * *' }], [2 * hourMs, { rrule: 'FREQ=HOURLY;INTERVAL=2', dtstart: '2026-01-01T00:00:00' }]
  ]
  return specs.flatMap(([everyMs, spec]) => (['none', 'last', 'all'] as const).flatMap((misfire) =>
    [null, minuteMs, 90 * minuteMs, 7 * 24 * hourMs].flatMap((catchUpMs) =>
      [3 * hourMs, 3 * hourMs - 20_000, 3 * hourMs + 100_000].map((backAfterMs) =>
        ({ misfire, everyMs, spec, catchUpMs, backAfterMs })))))
}

/** Every slot of the outage against plain arithmetic; how many there were. */
async function outage ({ service, ticker, told, actor, clock }: Timetable, one: Outage, say: Say): Promise<number> {
  const { misfire, everyMs, spec, catchUpMs, backAfterMs } = one
  const downMs = Math.ceil(clock.ms() / (2 * hourMs)) * 2 * hourMs + 30_500
  clock.to(downMs)
  const { id } = await service.add(actor, {
    name: `down.${downMs}`, job: beat.name, data: {}, spec, misfire, catchUpMs, smear: false, overlap: 'allow_all'
  })
  const backMs = downMs + backAfterMs
  clock.to(backMs)
  while ((await ticker.tick()).hasMore) { /* pages of a thousand */ }
  const due: number[] = []
  for (let ms = Math.ceil(downMs / everyMs) * everyMs; ms <= backMs; ms += everyMs) if (ms > downMs) due.push(ms)
  const reachMs = catchUpMs ?? Math.max(minuteMs, everyMs)
  const counts = (ms: number): boolean => backMs - ms <= minuteMs ||
    (misfire === 'last' && ms === due.at(-1)) || (misfire === 'all' && backMs - ms <= reachMs)
  const want = due.map((ms) => [new Date(ms).toISOString(), counts(ms) ? 'fire' : 'missed'])
  const got = await told(id)
  if (JSON.stringify(got) !== JSON.stringify(want)) {
    const at = want.findIndex((slot, i) => JSON.stringify(slot) !== JSON.stringify(got[i]))
    throw new Error(`${JSON.stringify(one)}: ${String(got[at])} where ${String(want[at])} is right`)
  }
  await service.remove(actor, id)
  say(`${misfire} every ${everyMs / 1000} s: ${due.length} slots`)
  return due.length
}

/** Resource `night` is closed from 22 to 6 by UTC, `busy` in every odd hour. */
const blackouts: Obstacles = ({ at, resources }) => {
  const hour = at.getUTCHours()
  if (resources.includes('night') && (hour >= 22 || hour < 6)) {
    const until = new Date(at)
    until.setUTCHours(hour >= 22 ? 30 : 6, 0, 0, 0)
    return { verdict: 'blackout', reason: 'night', until }
  }
  if (!resources.includes('busy') || hour % 2 === 0) return undefined
  return { verdict: 'wait', reason: 'busy', until: new Date((Math.floor(at.getTime() / hourMs) + 1) * hourMs) }
}

/** Asks what the next ten slots will do, lets them come, and compares; the verdicts. */
async function keepsItsWord (table: Timetable, random: Dice, i: number): Promise<string[]> {
  const { service, ticker, actor, clock, work, told } = table
  clock.to(clock.ms() + random.whole(0, 90) * 24 * hourMs)
  const { spec, everyMs } = randomSpec(random, clock.now())
  const overlap = random.one<Overlap>(overlaps)
  const { id } = await service.add(actor, {
    name: `word.${i}`,
    job: beat.name,
    data: {},
    spec,
    overlap,
    zone: random.one(zones),
    smear: random.whole(0, 1) === 1,
    resources: random.one([[], [], ['night'], ['busy'], ['night', 'busy']])
  })
  const runMs = Math.round(everyMs * random.one([0.1, 0.5, 0.99, 1, 1.5, 2.5, 7]))
  await table.remember(id, runMs)
  const { slots } = await service.explain(actor, id, 10)
  for (const { slotAt } of slots) {
    await work(id, overlap, runMs, new Date(slotAt))
    clock.to(slotAt)
    await ticker.tick()
  }
  const promised = slots.map(({ slotAt, verdict }) => [slotAt, verdict])
  const happened = await told(id)
  if (JSON.stringify(promised) !== JSON.stringify(happened)) {
    const what = JSON.stringify({ spec, overlap, runMs })
    throw new Error(`${what}: ${String(happened)} where ${String(promised)} was said`)
  }
  await service.remove(actor, id)
  return slots.map(({ verdict }) => verdict)
}

const zones = [
  'UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Asia/Kathmandu',
  'Pacific/Apia'
] as const

function randomSpec (random: Dice, now: Date): { spec: RecurrenceSpec, everyMs: number } {
  const minute = random.whole(0, 59)
  const hour = random.whole(0, 23)
  const dtstart = now.toISOString().slice(0, 19)
  return random.one<{ spec: RecurrenceSpec, everyMs: number }>([
    { spec: { everyMs: 1000 * random.whole(60, 7200) }, everyMs: hourMs },
    { spec: { cron: `*/${random.one([5, 10, 20])} * * * *` }, everyMs: 10 * minuteMs },
    { spec: { cron: `${minute} * * * *` }, everyMs: hourMs },
    { spec: { cron: `${minute} ${hour} * * *` }, everyMs: 24 * hourMs },
    { spec: { cron: `${minute} 1,2,3 * * *` }, everyMs: hourMs },
    { spec: { cron: `${minute} ${hour} 31 * *`, monthEnd: 'clamp' }, everyMs: 30 * 24 * hourMs },
    { spec: { rrule: `FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=${minute}`, dtstart }, everyMs: hourMs },
    { spec: { rrule: 'FREQ=MINUTELY;INTERVAL=45', dtstart }, everyMs: 45 * minuteMs },
    { spec: { rrule: `FREQ=MONTHLY;BYDAY=-1FR,2MO;BYHOUR=${hour}`, dtstart }, everyMs: 14 * 24 * hourMs }
  ])
}
