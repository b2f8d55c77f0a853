// Who goes next: lanes with ageing, turns of workspaces, caps and rates, the budget of retries, resources.
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  allot, blackoutUntil, createRetryBudget, laneNow, leftOf, mixRisen, newRing, resourceState, takeTurns, turnFrom,
  type Contestant, type ResourceState
} from '../../src/jobs/index.ts'
import { defineJob, defineResource, everything, type Blackout, type Lane } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

const now = new Date('2026-03-04T12:00:00Z')
const ago = (ms: number): Date => new Date(now.getTime() - ms)

t.test('a run that waited longer than its lane allows counts one lane higher', async (t) => {
  const table: Array<[Lane, number, Lane]> = [
    ['bulk', 900_000, 'bulk'], ['bulk', 900_001, 'default'], ['default', 60_000, 'default'],
    ['default', 60_001, 'interactive'], ['interactive', 5001, 'interactive']
  ]
  for (const [lane, ms, expected] of table) t.equal(laneNow({ lane, runAt: ago(ms) }, now), expected, `${lane} ${ms}`)
  const named = (lane: Lane, id: string) => ({ lane, id })
  const mixed = mixRisen([
    named('default', 'old 1'), named('default', 'old 2'), named('default', 'old 3'), named('interactive', 'fresh')
  ], 'interactive')
  t.same(mixed.map(({ id }) => id), ['fresh', 'old 1', 'old 2', 'old 3'])
})

t.test('workspaces take turns and pay for what they send', async (t) => {
  const of = (workspaceId: string, count: number, cost = 1) =>
    [workspaceId, Array.from({ length: count }, () => ({ workspaceId, cost }))] as const
  const shares = (chosen: ReadonlyArray<{ workspaceId: string }>) => Object.fromEntries(
    [...Map.groupBy(chosen, (run) => run.workspaceId)].map(([workspaceId, runs]) => [workspaceId, runs.length]))
  const plain = { roomOf: () => Infinity, weightOf: () => 1 }

  const ring = newRing()
  const backlog = new Map([of('a', 100), of('b', 100), of('c', 100)])
  t.same(shares(takeTurns(ring, { waiting: backlog, places: 25, ...plain })), { a: 10, b: 10, c: 5 })
  t.same(shares(takeTurns(ring, { waiting: backlog, places: 15, ...plain })), { a: 10, c: 5 }, 'c goes on')
  t.equal(turnFrom(ring), 'a\0', 'whoever follows a is next')
  t.same(shares(takeTurns(ring, { waiting: new Map([of('d', 100), of('e', 100)]), places: 50, ...plain, isCut: true })),
    { d: 10, e: 10 }, 'one turn each where others wait behind them')
  t.equal(turnFrom(ring), 'e\0')
  t.same(shares(takeTurns(newRing(), {
    waiting: new Map([of('a', 100), of('b', 3)]), places: 50, ...plain
  })), { a: 47, b: 3 }, 'nothing stays free while somebody waits')
  t.same(shares(takeTurns(newRing(), {
    waiting: backlog, places: 60, roomOf: () => Infinity, weightOf: (one) => one === 'a' ? 4 : 1
  })), { a: 40, b: 10, c: 10 }, 'a weight is more of each turn')
  t.same(shares(takeTurns(newRing(), {
    waiting: new Map([of('a', 100, 5), of('b', 100)]), places: 60, ...plain
  })), { a: 10, b: 50 }, 'dear runs are fewer')
  t.same(shares(takeTurns(newRing(), { waiting: new Map([of('a', 2, 100)]), places: 5, ...plain })), { a: 2 })
  t.same(shares(takeTurns(newRing(), {
    waiting: backlog, places: 90, roomOf: (one) => one === 'a' ? 7 : Infinity, weightOf: () => 1
  })), { a: 7, b: 43, c: 40 }, 'a cap leaves the places to others')
})

t.test('retries are at most a fifth of the starts of a minute, or ten', async (t) => {
  const budget = createRetryBudget()
  t.equal(budget.left(0), 10)
  budget.note(0, 10, 10)
  t.equal(budget.left(1), 0)
  budget.note(30_000, 490, 0)
  t.equal(budget.left(30_000), 90)
  t.equal(budget.left(60_000), 98, 'what is a minute old counts no more')
})

t.test('what a rate has left is told by the starts that were', async (t) => {
  const every = (ms: number, from: number, until: number): number[] =>
    Array.from({ length: Math.floor((until - from) / ms) + 1 }, (_, n) => from + n * ms)
  const nowMs = 1_000_000
  t.equal(leftOf([], 60, nowMs), 10, 'all of ten seconds')
  t.equal(leftOf(Array<number>(10).fill(nowMs), 60, nowMs), 0, 'all of it was used at once')
  t.equal(leftOf(Array<number>(10).fill(nowMs - 1500), 60, nowMs), 1.5)
  t.ok(leftOf(every(1000, nowMs - 19_500, nowMs - 500), 60, nowMs) < 1, 'who uses all of it has nothing left')
  t.ok(leftOf(every(2000, nowMs - 19_500, nowMs - 500), 60, nowMs) > 1, 'who uses half of it has')
  t.equal(leftOf([], 1, nowMs), 1, 'at least one goes at once')
  t.equal(leftOf([nowMs - 30_000], 1, nowMs), 0.5)
})

t.test('blackouts once, by day, by night, and on some days', async (t) => {
  const table: Array<[Blackout, string, string | null]> = [
    [{ from: ago(1000), to: new Date(now.getTime() + 5000) }, now.toISOString(), '2026-03-04T12:00:05.000Z'],
    [{ from: ago(1000), to: now }, now.toISOString(), null],
    [{ daily: { from: '11:30', to: '12:30' }, zone: 'UTC' }, '2026-03-04T12:00:00Z', '2026-03-04T12:30:00.000Z'],
    [{ daily: { from: '11:30', to: '12:00' }, zone: 'UTC' }, '2026-03-04T12:00:00Z', null],
    [{ daily: { from: '22:00', to: '06:00' }, zone: 'UTC' }, '2026-03-04T23:10:30Z', '2026-03-05T06:00:00.000Z'],
    [{ daily: { from: '22:00', to: '06:00' }, zone: 'UTC' }, '2026-03-04T05:59:00Z', '2026-03-04T06:00:00.000Z'],
    [
      { daily: { from: '13:00', to: '14:00' }, zone: 'Europe/Berlin' },
      '2026-03-04T12:15:00Z', '2026-03-04T13:00:00.000Z'
    ],
    // Wednesday is day 3: its night reaches into Thursday.
    [
      { daily: { from: '22:00', to: '06:00' }, days: [3], zone: 'UTC' },
      '2026-03-05T01:00:00Z', '2026-03-05T06:00:00.000Z'
    ],
    [{ daily: { from: '22:00', to: '06:00' }, days: [3], zone: 'UTC' }, '2026-03-04T01:00:00Z', null]
  ]
  for (const [blackout, at, end] of table) {
    t.equal(blackoutUntil([blackout], new Date(at))?.toISOString() ?? null, end, `${JSON.stringify(blackout)} at ${at}`)
  }
})

t.test('places of resources go all or nothing, in order, and nobody is passed over for ever', async (t) => {
  const states = (...list: Array<Partial<ResourceState> & { name: string }>) => new Map(list.map((one) => [one.name, {
    ...resourceState(one.name, undefined, undefined, { isTarget: false, nowMs: now.getTime() }), ...one
  }]))
  const run = (_id: string, names: string[], more: Partial<Contestant> = {}): Contestant =>
    ({ _id, names, release: 0, rank: 0, slotAt: now, overtaken: 0, isScheduled: false, ...more })
  const ids = (list: ReadonlyArray<{ _id: string }>) => list.map(({ _id }) => _id)

  const both = states({ name: 'a' }, { name: 'b' })
  const pair = allot([run('1', ['a', 'b']), run('2', ['b']), run('3', ['a'])], both, now)
  t.same(ids(pair.winners), ['1'], 'undeclared: capacity 1')
  t.same(pair.losers.map(({ run: { _id }, reason }) => `${_id} ${reason}`), ['2 resource', '3 resource'])
  const soon = new Date(now.getTime() + 1)
  const ranked = allot([run('1', ['a'], { rank: 5 }), run('2', ['a'], { slotAt: soon })], both, now)
  t.same([ids(ranked.winners), ids(ranked.overtaken)], [['2'], ['1']], 'a lower rank first: that is a turn lost')
  const third = allot([run('1', ['a'], { rank: 5, overtaken: 3 }), run('2', ['a'], { rank: -9 })], both, now)
  t.same(ids(third.winners), ['1'], 'who lost three times goes first')
  const holder = { runId: 'x', release: 1, until: new Date(now.getTime() + 1) }
  const taken = states({ name: 'a', holders: [holder] }, { name: 'b' })
  t.same(ids(allot([run('1', ['a', 'b'], { overtaken: 3 }), run('2', ['b'])], taken, now).winners), [],
    'and keeps what is free until it has the rest')
  t.same(ids(allot([run('1', ['a', 'b'], { overtaken: 2 }), run('2', ['b'])], taken, now).winners), ['2'])
  t.same(ids(allot([run('1', ['a'])], states({ name: 'a', holders: [{ ...holder, until: now }] }), now).winners), ['1'],
    'a holder whose time is over counts no more')
  const rated = allot([run('1', ['a']), run('2', ['a']), run('3', ['a'])],
    states({ name: 'a', capacity: 9, ratePerS: 2, bucket: { tokens: 1, atMs: now.getTime() - 500 } }), now)
  t.same([ids(rated.winners), rated.losers[0]?.reason], [['1', '2'], 'rate'])
  const dark = states({ name: everything, blackouts: [{ from: ago(1), to: soon }] }, { name: 'a' })
  t.same(allot([run('1', ['a']), run('2', [], { isScheduled: true }), run('3', [])], dark, now).losers
    .map(({ run: { _id }, reason }) => `${_id} ${reason}`), ['1 blackout', '2 blackout'])
})

const Work = Type.Object({
  n: Type.Integer(), ms: Type.Integer(), group: Type.Optional(Type.String({ maxLength: 20 }))
}, { additionalProperties: false })
const work = defineJob({ name: 'test.do-work', queue: 'mail', data: Work })
const grouped = defineJob({ name: 'test.do-row', queue: 'fast', data: Work, serial: ({ group = '' }) => group })
const narrow = defineJob({ name: 'test.go-through', queue: 'notify', data: Work, resources: () => ['door'] })
const called = defineJob({ name: 'test.call-out', queue: 'webhook', data: Work, target: () => 'partner' })
const failing = defineJob({ name: 'test.fail-always', queue: 'crawl', data: Work, policy: { attempts: 3 } })
const declared = {
  jobs: [work, grouped, narrow, called, failing],
  resources: [defineResource({ name: 'door', capacity: 2 }), defineResource({ name: 'partner', capacity: 3 })]
}

interface Seen { job: string, n: number, workspaceId: string, startMs: number, endMs: number }
const seen: Seen[] = []

function bind (app: FastifyInstance): void {
  for (const job of [work, grouped, narrow, called]) {
    app.handleJob(job, async ({ run: { data: { n, ms }, workspaceId } }) => {
      const startMs = performance.now()
      await sleep(ms)
      seen.push({ job: job.name, n, workspaceId, startMs, endMs: performance.now() })
    })
  }
  app.handleJob(failing, async () => { throw Object.assign(new Error('reset'), { code: 'ECONNRESET' }) })
}

type Row = Record<string, unknown> & { _id: string, heldBy: string | null, workspaceId: string }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const place = newPlace()
const app = await rig({ place, declared, bind, groups: ['io', 'crawl', 'keeper'] })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})

async function add (job: typeof work, count: number, data: { ms: number, group?: string }, options: object = {}) {
  return await app.tx(async (session) => await app.jobs.addMany(session, job,
    Array.from({ length: count }, (_, n) => ({ data: { n, ...data }, options: { workspaceId: 'a', ...options } }))))
}
const of = (job: { name: string }): Seen[] => seen.filter((one) => one.job === job.name)
const most = (list: readonly Seen[]): number => Math.max(0, ...list.map(({ startMs }) =>
  list.filter((other) => other.startMs <= startMs && other.endMs > startMs).length))

t.test('a backlog is worked off without waiting for the next poll', async (t) => {
  await add(work, 900, { ms: 5 })
  await until('all', () => of(work).length === 900, 20_000)
  const passes = await runs(app).distinct('publishedAt', { name: work.name }) as unknown as Date[]
  const times = passes.map((at) => at.getTime()).toSorted((a, b) => a - b)
  const between = times.filter((atMs, i) => i > 0 && atMs - (times[i - 1] ?? 0) < 400)
  t.ok(between.length >= 3, `${between.length} of ${times.length} passes came before a poll could`)
  seen.length = 0
})

t.test('P16: few runs of one workspace do not wait behind many of another', async (t) => {
  await add(work, 1500, { ms: 20 }, { workspaceId: 'loud' })
  await until('the loud one is at work', () => of(work).length > 100)
  const sinceMs = performance.now()
  await add(work, 10, { ms: 20 }, { workspaceId: 'shy' })
  await until('all of the shy one', () => of(work).filter((one) => one.workspaceId === 'shy').length === 10)
  const tookMs = performance.now() - sinceMs
  const left = 1500 - of(work).filter((one) => one.workspaceId === 'loud').length
  t.ok(left > 500, `${left} of the loud one still wait after ${Math.round(tookMs)} ms`)
  await runs(app).updateMany({ name: work.name, state: 'pending' }, { $set: { state: 'cancelled' } })
})

t.test('what is more urgent, or waited long, keeps nothing else from starting as long as it lasts', async (t) => {
  for (const loud of [{ lane: 'interactive' }, { runAt: new Date(Date.now() - 3_600_000) }]) {
    seen.length = 0
    await add(work, 1500, { ms: 20 }, { workspaceId: 'loud', ...loud })
    await until('the loud one is at work', () => of(work).length > 100)
    await add(work, 1, { ms: 20 }, { workspaceId: 'shy' })
    await add(work, 1, { ms: 20 }, { workspaceId: 'shy', lane: 'bulk' })
    await until('both of the shy one', () => of(work).filter((one) => one.workspaceId === 'shy').length === 2)
    const left = 1500 - of(work).filter((one) => one.workspaceId === 'loud').length
    t.ok(left > 300, `${left} of the loud one still wait`)
    await runs(app).updateMany({ name: work.name, state: 'pending' }, { $set: { state: 'cancelled' } })
    await until('none is at work', async () => await runs(app).countDocuments({ name: work.name, isLive: true }) === 0)
  }
  seen.length = 0
})

t.test('a cap holds always, a rate by the minute, and a limited workspace starts nothing in place', async (t) => {
  await app.capacity.setShare('capped', { maxLive: 2 })
  await app.capacity.setShare('slow', { perMin: 60 })
  await sleep(1100)
  seen.length = 0
  await add(work, 8, { ms: 30 }, { workspaceId: 'capped' })
  const rows = await Promise.all([1, 2, 3, 4].map(async (n) =>
    await add(grouped, 5, { ms: 5, group: `g${n}` }, { workspaceId: 'slow' })))
  t.equal(rows.flat().length, 20)
  await until('ten of the slow one', () => of(grouped).filter((one) => one.workspaceId === 'slow').length >= 10)
  await sleep(700)
  const slow = of(grouped).filter((one) => one.workspaceId === 'slow').length
  t.ok(slow <= 13, `${slow} started: ten at once, then one a second`)
  await app.capacity.setShare('slow', {})
  await until('all', () => of(grouped).length === 20 && of(work).length === 8)
  t.equal(most(of(work)), 2, 'never more than its cap')
})

t.test('I5: a resource has no more holders than places, and its places come back', async (t) => {
  seen.length = 0
  await Promise.all([add(narrow, 12, { ms: 40 }), add(called, 12, { ms: 40 })])
  await until('somebody waits for the door', async () =>
    await runs(app).countDocuments({ name: narrow.name, heldBy: 'resource' }) > 0)
  await until('all', () => of(narrow).length + of(called).length === 24, 20_000)
  t.equal(most(of(narrow)), 2)
  t.equal(most(of(called)), 3)
  await until('no holder', async () => await app.db.collection('jobs.resources')
    .countDocuments({ 'holders.0': { $exists: true } }) === 0)
  const overtaken = await runs(app).distinct('overtaken', { name: narrow.name })
  t.ok(overtaken.every((count) => Number(count) <= 3), `overtaken ${overtaken.join()}`)
})

t.test('an operator narrows, darkens and widens a resource', async (t) => {
  seen.length = 0
  const dark = { from: new Date(0).toISOString(), to: new Date(app.clock.ms() + 60_000).toISOString() }
  await app.capacity.setResource('door', { blackouts: [dark] })
  await add(narrow, 3, { ms: 1 })
  await until('dark', async () => await runs(app).countDocuments({ name: narrow.name, heldBy: 'blackout' }) === 3)
  await app.capacity.setResource('door', { capacity: 1 })
  await until('all, one by one', () => of(narrow).length === 3)
  t.equal(most(of(narrow)), 1)
  await app.capacity.setResource('door', {})
  await app.capacity.setResource(everything, { blackouts: [dark] })
  await add(work, 1, { ms: 1 }, { workspaceId: 'dark' })
  await until('what no schedule made goes', () => of(work).some(({ workspaceId }) => workspaceId === 'dark'))
  await app.capacity.setResource(everything, {})
})

t.test('retries beyond the budget wait for it', async (t) => {
  await runs(app).deleteMany({ name: failing.name })
  await add(failing, 40, { ms: 0 })
  await until('held', async () => await runs(app).countDocuments({ name: failing.name, heldBy: 'retry_budget' }) > 0)
  const retried = await runs(app).countDocuments({ name: failing.name, release: { $gt: 1 } })
  t.ok(retried <= 12, `${retried} of 40 were tried again at once`)
  await runs(app).updateMany({ name: failing.name, state: 'pending' }, { $set: { state: 'cancelled' } })
})

t.test('a workspace over its backlog is told when to come again', async (t) => {
  await app.capacity.setShare('full', { maxBacklog: 50 })
  const later = { workspaceId: 'full', runAt: new Date(app.clock.ms() + 3_600_000) }
  let refused: unknown
  let taken = 0
  for (let page = 0; page < 20 && refused === undefined; page++) {
    await add(work, 5, { ms: 1 }, later).then(() => { taken += 5 }, (error: unknown) => { refused = error })
  }
  t.match(refused, { code: 'jobs.backlog_full', options: { retryAfterMs: Number } })
  t.ok(taken >= 50 && taken <= 60, `${taken} were taken`)
  await add(work, 1, { ms: 1 }, { workspaceId: 'another' })
})
