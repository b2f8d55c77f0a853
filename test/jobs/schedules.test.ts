// Rules in time as tables, then the ticker over real stores under a clock that is moved by hand.
import t, { type Test } from 'tap'
import {
  checkDeclared, createRecurrence, judgeLateness, judgeSlot, noObstacles, smearMs
} from '../../src/jobs/index.ts'
import { defineSchedule, overlaps, type Recurring, type RecurrenceSpec } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig } from './rig.ts'
import { beat, handClock, timetable } from './timetable.ts'

const recurrence = createRecurrence()
const hour = 3_600_000

function first (recurring: Recurring, after: string, count: number): string[] {
  return recurrence.between(recurring, { after: new Date(after), until: new Date('2100-01-01'), limit: count })
    .map(({ at, dst }) => at.toISOString().slice(0, 16) + (dst === null ? '' : ` ${dst}`))
}

t.test('rules in time', async (t) => {
  const cases: Array<[string, RecurrenceSpec, string, string, string[]]> = [
    ['a gap shifts forward by its length', { cron: '30 2 * * *' }, 'Europe/Berlin', '2026-03-28T12:00Z',
      ['2026-03-29T01:30 gap', '2026-03-30T00:30']],
    ['a gap of 30 minutes by 30 minutes', { cron: '15 2 * * *' }, 'Australia/Lord_Howe', '2026-10-03T12:00Z',
      ['2026-10-03T15:45 gap', '2026-10-04T15:15']],
    ['two wall times that meet are one slot', { cron: '15,45 2 * * *' }, 'Australia/Lord_Howe', '2026-10-03T12:00Z',
      ['2026-10-03T15:45', '2026-10-04T15:15']],
    ['a day that a zone left out comes a day later', { cron: '0 10 * * *' }, 'Pacific/Apia', '2011-12-29T00:00Z',
      ['2011-12-29T20:00', '2011-12-30T20:00', '2011-12-31T20:00']],
    ['a fold takes the first pass', { cron: '30 2 * * *' }, 'Europe/Berlin', '2026-10-24T12:00Z',
      ['2026-10-25T00:30 fold', '2026-10-26T01:30']],
    ['or the second, if asked', { cron: '30 2 * * *', fold: 'second' }, 'Europe/Berlin', '2026-10-24T12:00Z',
      ['2026-10-25T01:30 fold', '2026-10-26T01:30']],
    ['Casablanca leaves and enters its winter for Ramadan', { cron: '30 2 * * *' }, 'Africa/Casablanca',
      '2026-02-14T12:00Z', ['2026-02-15T01:30 fold', '2026-02-16T02:30']],
    ['an open hour follows the clock through a gap', { cron: '30 * * * *' }, 'Europe/Berlin', '2026-03-29T00:00Z',
      ['2026-03-29T00:30', '2026-03-29T01:30', '2026-03-29T02:30']],
    ['and through a fold', { cron: '30 * * * *' }, 'Europe/Berlin', '2026-10-24T23:59Z',
      ['2026-10-25T00:30 fold', '2026-10-25T01:30 fold', '2026-10-25T02:30']],
    ['minutes of a rule are elapsed time', { rrule: 'FREQ=MINUTELY;INTERVAL=45', dtstart: '2026-10-25T02:00' },
      'Europe/Berlin', '2026-10-24T23:59Z', ['2026-10-25T00:00', '2026-10-25T00:45', '2026-10-25T01:30']],
    ['a leap day', { cron: '0 0 29 2 *' }, 'UTC', '2096-03-01T00:00Z', []],
    ['a leap day comes again', { cron: '0 0 29 2 *' }, 'UTC', '2026-01-01T00:00Z',
      ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['a short month is skipped', { cron: '0 0 31 * *' }, 'UTC', '2026-01-31T12:00Z',
      ['2026-03-31T00:00', '2026-05-31T00:00']],
    ['or clamped', { cron: '0 0 31 * *', monthEnd: 'clamp' }, 'UTC', '2026-01-31T12:00Z',
      ['2026-02-28T00:00', '2026-03-31T00:00', '2026-04-30T00:00']],
    ['a rule clamps and counts', { rrule: 'FREQ=MONTHLY;COUNT=3', dtstart: '2026-01-31T09:00', monthEnd: 'clamp' },
      'UTC', '2026-01-01T00:00Z', ['2026-01-31T09:00', '2026-02-28T09:00', '2026-03-31T09:00']],
    ['the last Friday', { rrule: 'FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20260301T000000Z', dtstart: '2026-01-01T18:00' },
      'America/New_York', '2026-01-01T00:00Z', ['2026-01-30T23:00', '2026-02-27T23:00']],
    ['a work day by its place', { rrule: 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1', dtstart: '2026-01-01T00:00' },
      'UTC', '2026-01-01T00:00Z', ['2026-01-30T00:00', '2026-02-27T00:00', '2026-03-31T00:00']],
    ['an interval counts from the epoch', { everyMs: 900_000 }, 'UTC', '2026-01-01T00:00Z', ['2026-01-01T00:15']],
    ['six fields begin with seconds', { cron: '0 15 3 * * 1' }, 'UTC', '2026-01-01T00:00Z', ['2026-01-05T03:15']]
  ]
  for (const [name, spec, zone, after, want] of cases) {
    const recurring = { spec, zone }
    recurrence.check(recurring)
    t.same(first(recurring, after, Math.max(1, want.length)), want, name)
  }
  t.match(recurrence.instantsOf('2026-10-25T02:30', 'Europe/Berlin'), {
    dst: 'fold', instants: [new Date('2026-10-25T00:30Z'), new Date('2026-10-25T01:30Z')]
  })
})

t.test('what no rule can be is refused with its field', async (t) => {
  const dtstart = '2026-01-01T09:00'
  const cases: Array<[RecurrenceSpec, string, string, string]> = [
    [{ cron: '0 0 30 2 *' }, 'UTC', 'schedule_invalid', '/spec/cron'],
    [{ cron: '61 * * * *' }, 'UTC', 'schedule_invalid', '/spec/cron'],
    [{ cron: '* * *' }, 'UTC', 'schedule_invalid', '/spec/cron'],
    [{ cron: 'H H * * *' }, 'UTC', 'schedule_invalid', '/spec/cron'],
    [{ everyMs: 10 }, 'UTC', 'schedule_invalid', '/spec/everyMs'],
    [{}, 'UTC', 'schedule_invalid', '/spec'],
    [{ everyMs: 1000, cron: '* * * * *' }, 'UTC', 'schedule_invalid', '/spec'],
    [{ cron: '0 3 * * *' }, 'Mars/Olympus', 'zone_unknown', '/zone'],
    [{ rrule: 'FREQ=DAILY' }, 'UTC', 'schedule_invalid', '/spec/dtstart'],
    [{ rrule: 'FREQ=DAILY;BYHOUR=25', dtstart }, 'UTC', 'schedule_invalid', '/spec/rrule'],
    [{ rrule: 'INTERVAL=2', dtstart }, 'UTC', 'schedule_invalid', '/spec/rrule'],
    [{ rrule: 'FREQ=YEARLY;BYWEEKNO=20', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule'],
    [{ rrule: 'FREQ=YEARLY;BYYEARDAY=100', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule'],
    [{ rrule: 'FREQ=MINUTELY;BYSECOND=5', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule'],
    [{ rrule: 'FREQ=YEARLY;BYMONTHDAY=29', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule'],
    [{ rrule: 'FREQ=WEEKLY;BYDAY=1MO', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule'],
    [{ rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30', dtstart }, 'UTC', 'rrule_unsupported', '/spec/rrule']
  ]
  for (const [spec, zone, code, pointer] of cases) {
    t.throws(() => { recurrence.check({ spec, zone }) }, { code: `jobs.${code}`, options: { errors: [{ pointer }] } },
      JSON.stringify(spec))
  }
})

t.test('a declaration that cannot be a schedule fails boot', async (t) => {
  const check = (jobOf: () => typeof beat | undefined, more: object) => () => {
    const definition = defineSchedule({ name: 'test.bad', job: beat, data: {}, spec: { cron: '0 3 * * *' } })
    checkDeclared([{ ...definition, ...more }], { jobOf, recurrence })
  }
  t.doesNotThrow(check(() => beat, {}))
  t.throws(check(() => undefined, {}), /not declared/)
  t.throws(check(() => beat, { spec: { cron: 'nonsense' } }), { code: 'jobs.schedule_invalid' })
  t.throws(check(() => beat, { zone: 'Mars/Olympus' }), { code: 'jobs.zone_unknown' })
  t.throws(check(() => beat, { data: { more: 1 } }), { code: 'jobs.schema_mismatch' })
})

t.test('overlap by how many runs are live', async (t) => {
  const table: Record<string, string[]> = {
    skip: ['fire', 'skip', 'skip', 'skip', 'skip'],
    buffer_one: ['fire', 'buffer', 'skip', 'skip', 'skip'],
    buffer_all: ['fire', 'buffer', 'buffer', 'buffer', 'skip'],
    cancel_other: ['fire', 'fire', 'fire', 'fire', 'fire'],
    allow_all: ['fire', 'fire', 'fire', 'fire', 'fire']
  }
  for (const overlap of overlaps) {
    const schedule = { overlap, resources: [], rank: 0 }
    const verdicts = [0, 1, 2, 100, 101].map((live) => judgeSlot(schedule, new Date(), live, noObstacles).verdict)
    t.same(verdicts, table[overlap], overlap)
  }
  t.ok(judgeSlot({ overlap: 'cancel_other', resources: [], rank: 0 }, new Date(), 1, noObstacles).cancelsOthers)
  const closed = judgeSlot({ overlap: 'skip', resources: ['db'], rank: 0 }, new Date(), 0, () =>
    ({ verdict: 'blackout', reason: 'closed', until: null }))
  t.match(closed, { verdict: 'blackout', reasons: ['closed'] }, 'a blackout lets the slot fire later')
})

t.test('lateness and smear', async (t) => {
  const slots = [0, 1, 2, 3].map((n) => ({ at: new Date(n * hour), wall: '', dst: null }))
  const missed = (misfire: 'none' | 'last' | 'all', lateMs: number, isComplete = true) =>
    judgeLateness(slots, { misfire, catchUpMs: 1.5 * hour, nowMs: 3 * hour + lateMs, isComplete })
      .map(({ missed }) => missed === null ? 1 : 0)
  t.same(missed('none', 60_000), [0, 0, 0, 1], 'a minute is not late')
  t.same(missed('none', 60_001), [0, 0, 0, 0])
  t.same(missed('last', 61_000), [0, 0, 0, 1])
  t.same(missed('last', 61_000, false), [0, 0, 0, 0], 'the last comes with the next page')
  t.same(missed('all', 61_000), [0, 0, 1, 1], 'within the time to catch up')
  const shifts = Array.from({ length: 200 }, (_, i) => smearMs(`id ${i}`, hour))
  t.ok(shifts.every((ms) => ms >= 0 && ms <= 300_000) && new Set(shifts).size > 150)
  t.equal(smearMs('id', 10_000), smearMs('id', 10_000))
  t.ok(smearMs('id', 10_000) <= 1000)
})

const place = newPlace()
const app = await rig({ place, role: 'server', declared: { jobs: [beat] } })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})
const clock = handClock('2026-05-04T00:30:00Z')
const table = timetable(app, clock)
const { service, actor, ticker } = table
const add = async (name: string, more: object = {}) => await service.add(actor, {
  name, job: beat.name, data: {}, spec: { cron: '0 * * * *' }, ...more
})
const count = async (collection: string, filter: object) => await app.db.collection(collection).countDocuments(filter)

t.test('P12: the ticker is down for three hours', async (t) => {
  const [none, last, all, every] = [
    await add('down.none', { misfire: 'none' }), await add('down.last'),
    await add('down.all', { misfire: 'all', catchUpMs: 2 * hour, overlap: 'allow_all' }),
    await add('down.every', { spec: { everyMs: 1000 }, smear: false, misfire: 'last', overlap: 'allow_all' })
  ]
  clock.to('2026-05-04T03:30:00Z')
  while ((await ticker.tick()).hasMore) { /* pages of a thousand */ }
  const outcomes = async ({ id }: { id: string }) =>
    (await table.told(id)).map(([at, outcome]) => `${at.slice(11, 13)} ${outcome}`)
  t.same(await outcomes(none), ['01 missed', '02 missed', '03 missed'])
  t.same(await outcomes(last), ['01 missed', '02 missed', '03 fire'])
  t.same(await outcomes(all), ['01 missed', '02 fire', '03 fire'])
  const seconds = await table.told(every.id)
  t.equal(new Set(seconds.map(([at]) => at)).size, 3 * 3600, 'every second is told of')
  t.equal(seconds.filter(([, outcome]) => outcome === 'fire').length, 61, 'those of the last minute are on time')
  t.equal(await count('jobs.runs', { 'cause.id': every.id }), 61)
  t.equal(await count('jobs.events', { type: 'jobs.slot.missed', 'data.scheduleId': none.id }), 1)
  await Promise.all([none, last, all, every].map(async ({ id }) => { await service.pause(actor, id) }))
})

t.test('two tickers settle a slot once', async (t) => {
  const ids = await Promise.all(Array.from({ length: 30 }, async (_, i) => (await add(`twice.${i}`)).id))
  const other = timetable(app, clock).ticker
  clock.to('2026-05-04T04:00:00Z')
  await Promise.all([ticker.tick(), other.tick(), ticker.tick()])
  await ticker.tick()
  t.equal(await count('jobs.slots', { scheduleId: { $in: ids } }), 30)
  t.equal(await count('jobs.runs', { 'cause.id': { $in: ids } }), 30)
  for (const id of ids) await service.remove(actor, id)
})

t.test('P14: explain tells the truth', async (t) => {
  for (const overlap of overlaps) await truth(t, overlap, { cron: '*/10 * * * *' }, 25 * 60_000)
  await truth(t, 'skip', { everyMs: 600_000 }, 9 * 60_000)
  await truth(t, 'skip', { cron: '30 1,2 * * *' }, 25 * hour)
})

async function truth (t: Test, overlap: string, spec: RecurrenceSpec, runMs: number): Promise<void> {
  const { id } = await add(`truth.${overlap}.${runMs}`, { spec, overlap, zone: 'Europe/Berlin' })
  await table.remember(id, runMs)
  const { slots, expectedRunMs } = await service.explain(actor, id, 10)
  t.equal(expectedRunMs, runMs)
  for (const { slotAt } of slots) {
    await table.work(id, overlap, runMs, new Date(slotAt))
    clock.to(slotAt)
    await ticker.tick()
  }
  const promised = slots.map(({ slotAt, verdict }) => [slotAt, verdict])
  t.same(await table.told(id), promised, `${overlap} ${JSON.stringify(spec)}`)
  await service.remove(actor, id)
}

t.test('declared schedules: an operator\'s change outlives deploys, what is gone rests', async (t) => {
  const nightly = defineSchedule({ name: 'test.nightly', job: beat, data: {}, spec: { cron: '0 3 * * *' } })
  const other = defineSchedule({ name: 'test.other', job: beat, data: {}, spec: { everyMs: hour } })
  await table.declarer.declare([nightly, other])
  const [row] = (await table.schedules.declared()).filter(({ name }) => name === nightly.name)
  const id = row?._id ?? ''
  await service.change(actor, id, { spec: { cron: '0 5 * * *' } })
  await service.pause(actor, id)
  await table.declarer.declare([{ ...nightly, spec: { cron: '0 4 * * *' }, misfire: 'all' }])
  t.match(await table.row(id), { spec: { cron: '0 5 * * *' }, misfire: 'all', isEnabled: false })
  const otherRow = async () => await table.schedules.byName('', other.name)
  t.match(await otherRow(), { isRetired: true, isEnabled: false })
  await table.declarer.declare([nightly, other])
  t.match(await otherRow(), { isRetired: false, isEnabled: true })
  t.match(await service.resume(actor, id), { isEnabled: true, overridden: ['spec', 'isEnabled'] })
  await t.rejects(service.remove(actor, id), { code: 'jobs.schedule_invalid' })
  await table.declarer.declare([])
})

t.test('failures in a row pause it and tell; a success in between does not', async (t) => {
  const { id } = await add('failing', { overlap: 'allow_all', pauseAfter: 3, spec: { everyMs: 60_000 }, smear: false })
  const runs = app.db.collection<{ _id: string }>('jobs.runs')
  const end = async (state: string) => {
    clock.to(clock.ms() + 60_000)
    await ticker.tick()
    await runs.updateOne({ 'cause.id': id, state: 'pending' }, { $set: { state, isLive: false, endedAt: clock.now() } })
    await ticker.watch(new Date(0), { alsoKnown: true })
    return await table.row(id)
  }
  for (const state of ['dead', 'dead', 'done', 'dead', 'dead']) t.ok((await end(state)).isEnabled)
  t.match(await end('dead'), { isEnabled: false, pausedFor: 'failures', failures: 3 })
  await ticker.watch(new Date(0), { alsoKnown: true })
  t.equal(await count('jobs.events', { type: 'jobs.schedule.paused', 'data.scheduleId': id }), 1)
  t.match(await service.resume(actor, id), { isEnabled: true, failures: 0 })
  await ticker.watch(new Date(0), { alsoKnown: true })
  t.ok((await table.row(id)).isEnabled, 'old failures are forgiven')
  await app.db.collection<{ _id: string }>('jobs.schedules').updateOne({ _id: id }, { $set: { data: { more: 1 } } })
  clock.to(clock.ms() + 60_000)
  await ticker.tick()
  t.match(await table.row(id), { isEnabled: false, pausedFor: 'jobs.schema_mismatch' })
})

t.test('backfill makes what is missing once', async (t) => {
  const { id } = await add('backfilled', { misfire: 'none', overlap: 'allow_all' })
  const from = clock.now()
  clock.to(clock.ms() + 10 * hour)
  await ticker.tick()
  const range = { from: from.toISOString(), to: clock.now().toISOString() }
  const done = await service.backfill(actor, id, range)
  t.match(done, { slots: 10, skipped: 0, buffered: 0 })
  t.equal(done.fired + done.already, 10)
  t.match(await service.backfill(actor, id, range), { slots: 10, fired: 0, already: 10 })
  t.equal((await table.runsOf(id)).length, 10)
  t.match(await service.backfill(actor, id, { ...range, from: '2026-05-01T00:00:00Z', overlap: 'skip' }), { fired: 0 })
  const refused = { code: 'jobs.schedule_invalid' }
  await t.rejects(service.backfill(actor, id, { ...range, from: '2020-01-01T00:00:00Z' }), refused)
  await t.rejects(service.backfill(actor, id, { ...range, to: '2099-01-01T00:00:00Z' }), refused)
})
