// What may be said when a run is added: keys and their scopes, one run instead of many, jobs that may be lost,
// payloads of other versions.
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  defineErrors, defineEvent, defineJob, defineSubscriber, uuidv7, withContext,
  type AddOptions, type AddedRun, type Dedupe, type KeyScope
} from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, rowMs, until } from './rig.ts'

const closed = { additionalProperties: false }
const Numbered = Type.Object({ n: Type.Integer() }, closed)
const count = defineJob({ name: 'test.count-up', queue: 'fast', data: Numbered })
const parent = defineJob({ name: 'test.have-children', queue: 'fast', data: Numbered })
const slow = defineJob({ name: 'test.be-slow', queue: 'mail', data: Numbered })
const warm = defineJob({
  name: 'test.warm-cache', queue: 'notify', data: Type.Object({ n: Type.Integer(), how: Type.String() }, closed),
  lossy: true
})
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })
const declared = { jobs: [count, parent, slow, warm] }
const ws = { workspaceId: 'w1' }

const seen: number[] = []
const warmed: Array<{ n: number, how: string, attempt: number, workspaceId: string }> = []
let gate = Promise.withResolvers<void>()
const slowSeen: number[] = []

function bind (app: FastifyInstance): void {
  app.handleJob(count, async ({ run }) => { seen.push(run.data.n) })
  app.handleJob(parent, async (ctx) => {
    await ctx.spawn(count, { n: 500 + ctx.run.data.n })
    await ctx.spawn(count, { n: 500 + ctx.run.data.n })
    if (ctx.attempt === 0) throw Object.assign(new Error('again'), { code: 'ECONNRESET' })
  })
  app.handleJob(slow, async ({ run }) => {
    slowSeen.push(run.data.n)
    await gate.promise
  })
  app.handleJob(warm, async ({ run, attempt }) => {
    warmed.push({ ...run.data, attempt, workspaceId: run.workspaceId })
    if (run.data.how === 'reset' && attempt === 0) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    if (run.data.how === 'final') throw TestError.wrong()
  })
}

type Row = Record<string, unknown> & { _id: string, data: { n: number }, runAt: Date }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const add = async (data: { n: number }, options: AddOptions, job = count): Promise<AddedRun> =>
  await app.tx(async (session) => await app.jobs.add(session, job, data, { ...ws, ...options }))
const later = () => new Date(app.clock.ms() + 3_600_000)

const place = newPlace()
const app = await rig({ place, declared, bind })
t.teardown(async () => {
  gate.resolve()
  await app.close()
  await dropPlace(place)
})

const inARowMs = await rowMs(async () => await add({ n: 0 }, { key: 'a row' }))

/** A hundred at once: all are answered in time, by one run. */
async function race (t: Test, what: string, one: (n: number) => Promise<AddedRun>): Promise<string> {
  const sinceMs = performance.now()
  const added = await Promise.all(Array.from({ length: 100 }, async (_, n) => await one(n)))
  t.equal(new Set(added.map(({ id }) => id)).size, 1, `${what}: one run`)
  t.ok(added.filter(({ isNew }) => isNew).length <= 1, `${what}: new once`)
  const times = (performance.now() - sinceMs) / inARowMs
  // One caught duplicate key would make it two minutes.
  t.ok(times < 20, `${what}: ${times.toFixed(1)} times as long as one after the other`)
  return added[0]?.id ?? ''
}

t.test('a run costs a whole number from 1 to 100, of its job and of its own', async (t) => {
  for (const cost of [0, -1, 1.5, 101, NaN]) {
    t.throws(() => defineJob({ name: 'test.cost-much', queue: 'fast', data: Numbered, cost }), /test\.cost-much costs/)
    const refusal = { code: 'jobs.schema_mismatch', options: { errors: [{ pointer: '/cost' }] } }
    await t.rejects(add({ n: 1 }, { cost }), refusal)
  }
  const { id } = await add({ n: 600 }, { cost: 100, runAt: later() })
  t.match(await runs(app).findOne({ _id: id }), { cost: 100 })
})

t.test('P21: a key is unique in its scope', async (t) => {
  const within = async (id: string, attempt: number, scope: KeyScope): Promise<string> =>
    await withContext({ cause: { kind: 'run', id }, attempt }, async () => await race(
      t, `${scope} of ${id}.${attempt}`, async () => await add({ n: 1 }, { key: 'k', scope, runAt: later() })))
  const global = new Set([await within('r1', 0, 'global'), await within('r2', 0, 'global')])
  t.equal(global.size, 1, 'global: the workspace has one')
  const parents = [await within('r1', 0, 'parent'), await within('r1', 1, 'parent'), await within('r2', 0, 'parent')]
  t.equal(parents[0], parents[1], 'parent: another attempt of the same run gets the same one')
  t.equal(new Set(parents).size, 2, 'parent: another run gets its own')
  const attempts = [await within('r1', 0, 'attempt'), await within('r1', 1, 'attempt')]
  t.equal(new Set(attempts).size, 2, 'attempt: another attempt gets its own')
  t.equal(new Set([...global, ...parents, ...attempts]).size, 5)
  await t.rejects(add({ n: 1 }, { key: 'k', scope: 'parent' }), /what a run adds/)
})

t.test('P21: a hundred adds that race for one dedupe make one run, in each mode', async (t) => {
  const modes: Dedupe[] = [
    { key: 'race', mode: 'inflight' }, { key: 'race', mode: 'throttle', windowMs: 60_000 },
    { key: 'race', mode: 'debounce', windowMs: 60_000 }, { key: 'race', mode: 'latest' }
  ]
  for (const dedupe of modes) {
    const mine = { ...dedupe, key: `race ${dedupe.mode}` }
    const id = await race(t, dedupe.mode, async (n) => await add({ n }, { dedupe: mine, runAt: later() }))
    const [one, ...others] = await runs(app).find({ 'dedupe.key': mine.key }).toArray()
    t.same([one?._id, others.length], [id, 0])
  }
  await runs(app).updateMany({ runAt: { $gt: app.clock.now() } }, { $set: { state: 'cancelled' } })
})

t.test('inflight: one that waits or is live, whatever its data', async (t) => {
  const dedupe: Dedupe = { key: 'i', mode: 'inflight' }
  gate = Promise.withResolvers<void>()
  const first = await add({ n: 1 }, { dedupe }, slow)
  t.match(await add({ n: 2 }, { dedupe }, slow), { id: first.id, isNew: false })
  await until('at work', () => slowSeen.includes(1))
  t.match(await add({ n: 3 }, { dedupe }, slow), { id: first.id, isNew: false, state: 'running' })
  gate.resolve()
  await until('done', async () => (await runs(app).findOne({ _id: first.id }))?.['state'] === 'done')
  const next = await add({ n: 4 }, { dedupe }, slow)
  t.ok(next.isNew && next.id !== first.id, 'the next one is a new run')
  await until('done too', async () => (await runs(app).findOne({ _id: next.id }))?.['state'] === 'done')
  t.same(slowSeen, [1, 4])
})

t.test('throttle: one in each window, however fast it ends', async (t) => {
  const dedupe: Dedupe = { key: 't', mode: 'throttle', windowMs: 700 }
  const first = await add({ n: 11 }, { dedupe })
  await until('done', async () => (await runs(app).findOne({ _id: first.id }))?.['state'] === 'done')
  t.match(await add({ n: 12 }, { dedupe }), { id: first.id, isNew: false, state: 'done' })
  await until('a new window', async () => (await add({ n: 13 }, { dedupe })).isNew)
  t.equal(await runs(app).countDocuments({ 'dedupe.key': 't' }), 2)
})

t.test('debounce: as long as it waits its data is replaced and it moves', async (t) => {
  const dedupe: Dedupe = { key: 'd', mode: 'debounce', windowMs: 600 }
  const first = await add({ n: 21 }, { dedupe })
  const { runAt } = await runs(app).findOne({ _id: first.id }) as Row
  await new Promise((resolve) => { setTimeout(resolve, 250) })
  t.match(await add({ n: 22 }, { dedupe }), { id: first.id, isNew: false })
  const moved = await runs(app).findOne({ _id: first.id }) as Row
  t.ok(moved.runAt.getTime() - runAt.getTime() >= 200, 'moved')
  await until('done', () => seen.includes(22))
  t.notOk(seen.includes(21), 'once, with the last data')
  t.ok((await add({ n: 23 }, { dedupe })).isNew, 'what has started keeps its data')
})

t.test('latest: one waits behind the one that is live, and has the last data', async (t) => {
  const dedupe: Dedupe = { key: 'l', mode: 'latest' }
  gate = Promise.withResolvers<void>()
  slowSeen.length = 0
  const first = await add({ n: 31 }, { dedupe }, slow)
  await until('at work', () => slowSeen.length === 1)
  const second = await add({ n: 32 }, { dedupe }, slow)
  t.ok(second.isNew, 'a successor')
  for (const n of [33, 34]) t.match(await add({ n }, { dedupe }, slow), { id: second.id, isNew: false })
  t.not(second.id, first.id)
  gate.resolve()
  await until('both', async () => await runs(app).countDocuments({ 'dedupe.key': 'l', state: 'done' }) === 2)
  t.same(slowSeen, [31, 34])
})

t.test('many in one call, some of them instead of others', async (t) => {
  const dedupe: Dedupe = { key: 'm', mode: 'inflight' }
  const added = await app.tx(async (session) => await app.jobs.addMany(session, count, [
    { data: { n: 41 }, options: { ...ws, dedupe, runAt: later() } }, { data: { n: 42 }, options: ws },
    { data: { n: 43 }, options: { ...ws, dedupe, runAt: later() } }
  ]))
  t.same(added.map(({ isNew }) => isNew), [true, true, false])
  t.equal(added[2]?.id, added[0]?.id)
})

t.test('a child is added once, however often its parent starts', async (t) => {
  const { id } = await add({ n: 7 }, {}, parent)
  await until('first start', async () => (await runs(app).findOne({ _id: id }))?.['attempt'] === 1)
  await runs(app).updateOne({ _id: id }, { $set: { runAt: new Date() } })
  await until('done', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done')
  const children = await runs(app).find({ 'cause.id': id }).toArray()
  t.match(children, [{ name: count.name, workspaceId: 'w1', cause: { kind: 'run', id } }])
  t.equal(children.length, 1)
})

t.test('what may be lost skips the store, and is tried again by the same taxonomy', async (t) => {
  const before = await runs(app).countDocuments()
  const ids = await app.jobs.addNowMany(warm, [
    { data: { n: 1, how: 'well' }, options: ws }, { data: { n: 2, how: 'reset' }, options: ws },
    { data: { n: 3, how: 'final' }, options: ws }
  ])
  t.ok(ids.every((id) => id !== null))
  await until('four starts', () => warmed.length === 4)
  t.match(warmed.filter(({ n }) => n === 2), [{ attempt: 0 }, { attempt: 1, workspaceId: 'w1' }])
  t.equal(warmed.filter(({ n }) => n === 3).length, 1, 'a final error is final')
  t.equal(await runs(app).countDocuments(), before, 'no run')
  await t.rejects(app.jobs.addNow(count, { n: 1 }), /not declared lossy/)
  await t.rejects(app.jobs.addNow(warm, { n: 1 } as never), { code: 'jobs.schema_mismatch' })
  const other = defineJob({ name: 'test.not-declared', queue: 'fast', data: Numbered, lossy: true })
  await t.rejects(app.jobs.addNow(other, { n: 1 }), { code: 'jobs.unknown_job' })
})

t.test('what may be lost is dropped and counted while Redis is away, at once', async (t) => {
  const here = newPlace()
  const server = await rig({ place: here, role: 'server', declared })
  t.teardown(async () => {
    await server.close()
    await dropPlace(here)
  })
  server.redis.disconnect()
  const sinceMs = performance.now()
  t.equal(await server.jobs.addNow(warm, { n: 9, how: 'well' }), null)
  t.ok(performance.now() - sinceMs < 500)
  await server.redis.connect()
  t.match(await server.metrics.metrics(), /switchyard_jobs_dropped_total\{.*\} 1/)
})

t.test('what is refused is not stored', async (t) => {
  const big = defineJob({ name: 'test.be-big', queue: 'fast', data: Type.Object({ text: Type.String() }, closed) })
  const loud = defineJob({ name: 'test.be-loud', queue: 'fast', data: big.data, lossy: true })
  const here = newPlace()
  const server = await rig({ place: here, role: 'server', declared: { jobs: [big, loud, count] } })
  t.teardown(async () => {
    await server.close()
    await dropPlace(here)
  })
  const refused = async (data: unknown, code: string, job: unknown = big): Promise<void> => {
    const adding = server.tx(async (session) => await server.jobs.add(session, job as typeof big, data as { text: '' }))
    await t.rejects(adding, { code }, code)
  }
  await refused({ text: 'x'.repeat(33_000) }, 'jobs.data_too_large')
  await refused({ n: 1, more: 2 }, 'jobs.schema_mismatch', count)
  await refused(JSON.parse('{ "text": "x", "__proto__": { "a": 1 } }'), 'jobs.schema_mismatch')
  await refused({ text: 'x', $where: '1' }, 'jobs.schema_mismatch')
  await t.rejects(server.jobs.addNow(loud, { text: 'x'.repeat(33_000) }), { code: 'jobs.data_too_large' })
  t.equal(await runs(server).countDocuments(), 0)
  const Secret = Type.Object({ login: Type.Object({ password: Type.String({ sensitive: 'secret' }) }) })
  t.throws(() => defineJob({ name: 'test.tell-all', queue: 'fast', data: Secret }), /secret.*password/)
  t.throws(() => defineEvent({ name: 'test.all.told', data: Secret }), /secret.*password/)
})

t.test('payloads of other versions', async (t) => {
  const here = newPlace()
  const heard: unknown[] = []
  const Named = Type.Object({ name: Type.String() }, closed)
  const oldEvent = defineEvent({ name: 'test.thing.moved', data: Numbered })
  const newEvent = defineEvent({
    name: 'test.thing.moved', version: 2, data: Named, upcast: { 1: (d: { n: number }) => ({ name: `thing ${d.n}` }) }
  })
  const of = (event: typeof oldEvent | typeof newEvent) =>
    defineSubscriber({ name: 'test.hear-moves', event: event as typeof newEvent })
  const newer = defineJob({
    name: count.name, queue: 'fast', version: 2, data: Named, upcast: { 1: (d: { n: number }) => ({ name: `${d.n}` }) }
  })
  const old = await rig({
    place: here, groups: ['io', 'keeper'],
    declared: { jobs: [count], events: [oldEvent], subscribers: [of(oldEvent)] },
    bind (app) {
      app.handleJob(count, async ({ run }) => { heard.push(['old', run.data]) })
      app.onEvent(app.registry.subscribers.get('test.hear-moves') as never, async () => undefined)
    }
  })
  const server = await rig({ place: here, role: 'server', declared: { jobs: [newer] } })
  t.teardown(async () => {
    await server.close()
    await dropPlace(here)
  })
  const { id } = await server.tx(async (session) => await server.jobs.add(session, newer, { name: 'new' }, ws))
  await until('held', async () => (await runs(server).findOne({ _id: id }))?.['heldBy'] === 'no_worker')
  // What an old process wrote before it was stopped, and one payload that nobody can read.
  const [broken = '', lifted = ''] = (await old.tx(async (session) => await old.jobs.addMany(session, count, [1, 2].map(
    (n) => ({ data: { n }, options: { ...ws, runAt: later() } }))))).map(({ id }) => id)
  await old.tx(async (session) => await old.events.emit(
    session, oldEvent, { n: 3 }, { type: 'thing', id: uuidv7() }, ws))
  await until('heard by the old one', async () =>
    await runs(old).countDocuments({ name: 'test.hear-moves', state: 'done' }) === 1)
  await old.close()
  t.same(heard, [], 'nothing failed, nothing ran')

  const worker = await rig({
    place: here, groups: ['io', 'keeper'],
    declared: { jobs: [newer], events: [newEvent], subscribers: [of(newEvent)] },
    bind (app) {
      app.handleJob(newer, async ({ run }) => { heard.push(run.data) })
      app.onEvent(app.registry.subscribers.get('test.hear-moves') as never, async (event) => { heard.push(event.data) })
    }
  })
  t.teardown(async () => { await worker.close() })
  await runs(worker).updateMany({ name: 'test.hear-moves' }, {
    $set: { state: 'pending', isLive: false, runAt: new Date() }, $unset: { expireAt: 1 }
  })
  await runs(worker).updateOne({ _id: broken }, { $set: { data: { n: 'x', v: 3 } as never, runAt: new Date(), v: 2 } })
  await runs(worker).updateOne({ _id: lifted }, { $set: { runAt: new Date() } })
  await until('all', async () => await runs(worker).countDocuments({ state: { $in: ['done', 'dead'] } }) === 4)
  t.same(new Set(heard.map((one) => (one as { name: string }).name)), new Set(['new', '2', 'thing 3']))
  t.match(await worker.db.collection('jobs.letters').find().toArray(), [{ runId: broken, class: 'contract' }])
  t.equal(heard.length, 3, 'no handler was called with what is broken')
})
