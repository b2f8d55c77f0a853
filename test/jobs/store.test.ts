// The engine on real stores: what is added happens once, in order, and ends as the taxonomy says.
import t from 'tap'
import { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineErrors, defineEvent, defineJob, defineSubscriber } from '../../src/kernel/index.ts'
import { createRelayRepository } from '../../src/jobs/index.ts'
import { bullConnection, bullPrefix } from '../../plugins/queue/connection.ts'
import { dropPlace, newPlace, rig, rowMs, until } from './rig.ts'

const closed = { additionalProperties: false }
const Numbered = Type.Object({ n: Type.Integer(), group: Type.Optional(Type.String({ maxLength: 20 })) }, closed)
const count = defineJob({ name: 'test.count-up', queue: 'fast', data: Numbered })
const queueUp = defineJob(
  { name: 'test.queue-up', queue: 'fast', data: Numbered, serial: (data) => data.group ?? 'all' }
)
const How = Type.Object({ how: Type.String({ maxLength: 20 }) }, closed)
const fail = defineJob({ name: 'test.fail-so', queue: 'mail', data: How, policy: { attempts: 2 } })
const call = defineJob({ name: 'test.call-out', queue: 'webhook', data: Numbered, target: () => 'provider' })
const walk = defineJob({ name: 'test.walk-steps', queue: 'bulk', data: Numbered })
const moved = defineEvent({ name: 'test.thing.moved', data: Numbered, keepDays: 'forever' })
const said = defineEvent({ name: 'test.thing.said', data: Type.Object({ more: Type.Unknown() }, closed) })
const hear = defineSubscriber({ name: 'test.hear-moves', event: moved, order: 'subject' })
const hearEven = defineSubscriber({ name: 'test.hear-even', event: moved, when: ({ n }) => n % 2 === 0 })
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })
const declared = { jobs: [count, queueUp, fail, call, walk], events: [moved, said], subscribers: [hear, hearEven] }

const ws = 'w1'
const candidate = {
  workspaceId: ws, name: count.name, v: 1, queue: 'fast' as const, lane: 'default' as const, release: 0, starts: 0,
  attempt: 0, cost: 1, runAt: new Date(0), heldBy: null
}
let seen: Array<{ what: string, n: number, group?: string | undefined, at: number }> = []
const live = new Set<string>()
let overlaps = 0
let circuit = false
let calls: number[] = []
const walked: string[] = []

function bind (app: FastifyInstance): void {
  app.handleJob(count, async (ctx) => {
    await ctx.commit(
      async (session) => { await effects(app).insertOne({ run: ctx.run.id, n: ctx.run.data.n }, { session }) }
    )
  })
  app.handleJob(queueUp, async (ctx) => {
    const { n, group = 'all' } = ctx.run.data
    if (live.has(group)) overlaps++
    live.add(group)
    await new Promise((resolve) => { setImmediate(resolve) })
    seen.push({ what: 'serial', n, group, at: performance.now() })
    live.delete(group)
  })
  app.handleJob(fail, async ({ run: { data: { how } }, attempt }) => {
    if (how === 'final') throw TestError.wrong()
    if (how === 'bug') throw new TypeError('no such thing')
    if (how === 'once' && attempt === 0) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  })
  app.handleJob(call, async ({ run }) => {
    calls.push(run.data.n)
    if (circuit) throw Object.assign(new Error('open'), { name: 'CircuitOpenError', retryAfterMs: 700 })
  })
  app.handleJob(walk, async (ctx) => {
    const first = await ctx.step('first', async () => { walked.push('first'); return { at: 1 } })
    ctx.progress({ done: 1, total: 2 })
    if (ctx.attempt === 0) throw Object.assign(new Error('again'), { code: 'ECONNRESET' })
    await ctx.checkpoint(
      async (session) => {
        await effects(app).insertOne({ run: ctx.run.id, n: -1 }, { session })
      }, { done: 2, total: 2 }
    )
    return { first }
  })
  app.onEvent(
    hear, async (event) => { seen.push({ what: `event ${event.subject.id}`, n: event.data.n, at: performance.now() }) }
  )
  app.onEvent(hearEven, async (event) => { seen.push({ what: 'even', n: event.data.n, at: performance.now() }) })
}

const effects = (app: FastifyInstance) => app.db.collection<{ run: string, n: number }>('test.effects')
const runs = (app: FastifyInstance) => app.db.collection<Record<string, unknown> & { _id: string }>('jobs.runs')
const quiet = async (app: FastifyInstance) => await until('quiet', async () => await app.runs.isQuiet(), 20_000)

const place = newPlace()
const app = await rig({ place, declared, bind })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})
await app.db.createCollection('test.effects')

t.test('a committed change has its jobs, an aborted one has none', async (t) => {
  await t.rejects(app.tx(async (session) => {
    await app.jobs.add(session, count, { n: 1 }, { workspaceId: ws })
    throw new Error('no')
  }))
  await app.tx(async (session) => await app.jobs.add(session, count, { n: 2 }, { workspaceId: ws }))
  await until('the effect', async () => await effects(app).countDocuments() === 1)
  await quiet(app)
  t.match(await effects(app).find().toArray(), [{ n: 2 }])
  t.equal(await runs(app).countDocuments({ state: 'done' }), 1)
})

t.test('what is refused at add is not stored', async (t) => {
  const before = await runs(app).countDocuments()
  const add = async (data: unknown, job: unknown = count) => await app.tx(
    async (session) => await app.jobs.add(session, job as typeof count, data as { n: number })
  )
  await t.rejects(add({ n: 'x' }), { code: 'jobs.schema_mismatch' })
  await t.rejects(add({ n: 1, more: 2 }), { code: 'jobs.schema_mismatch' })
  await t.rejects(
    add({ n: 1 }, defineJob({ name: 'test.not-declared', queue: 'fast', data: Numbered })), { code: 'jobs.unknown_job' }
  )
  t.equal(await runs(app).countDocuments(), before)
})

t.test('what is refused at emit is not stored, nor is what goes with it', async (t) => {
  const before = await runs(app).countDocuments()
  const subject = { type: 'thing', id: 'refused' }
  const emit = async (data: unknown, event: unknown = said) => await app.tx(async (session) =>
    await app.events.emit(session, event as typeof moved, data as { n: number }, subject, { workspaceId: ws }))
  await t.rejects(emit({ n: 'x' }, moved), { code: 'jobs.schema_mismatch', options: { errors: [{ pointer: '/n' }] } })
  await t.rejects(emit({ more: 'x'.repeat(33_000) }), { code: 'jobs.data_too_large' })
  for (const name of ['$set', 'a.b', '__proto__', 'constructor']) {
    await t.rejects(emit({ more: JSON.parse(`{"${name}":1}`) }),
      { code: 'jobs.schema_mismatch', options: { errors: [{ pointer: `/more/${name}` }] } }, name)
  }
  await t.rejects(app.tx(async (session) => await app.events.emitMany(session, moved, [
    { data: { n: 1 }, subject }, { data: { n: 'x' } as unknown as { n: number }, subject }
  ], { workspaceId: ws })), { code: 'jobs.schema_mismatch' })
  t.equal(await app.db.collection('jobs.events').countDocuments({ 'subject.id': subject.id }), 0)
  t.equal(await runs(app).countDocuments(), before)
})

t.test('P21: a hundred adds that race for one key make one run', async (t) => {
  const inARowMs = await rowMs(async () => await app.tx(async (session) =>
    await app.jobs.add(session, count, { n: 20 }, { key: 'row', workspaceId: ws })))
  const sinceMs = performance.now()
  const added = await Promise.all(Array.from({ length: 100 }, async () =>
    await app.tx(async (session) => await app.jobs.add(session, count, { n: 21 }, { key: 'one', workspaceId: ws }))))
  t.ok(performance.now() - sinceMs < 20 * inARowMs, 'one caught duplicate key would make it two minutes')
  t.same([new Set(added.map(({ id }) => id)).size, added.filter(({ isNew }) => isNew).length], [1, 1], 'one, new once')
  await t.rejects(app.tx(async (session) =>
    await app.jobs.add(session, count, { n: 22 }, { key: 'one', workspaceId: ws })), { code: 'jobs.key_reused' })
  const many = await app.tx(async (session) => await app.jobs.addMany(session, count, [
    { data: { n: 21 }, options: { key: 'one', workspaceId: ws } },
    { data: { n: 23 }, options: { key: 'two', workspaceId: ws } },
    { data: { n: 23 }, options: { key: 'two', workspaceId: ws } },
    { data: { n: 21 }, options: { key: 'one', workspaceId: 'w2' } }
  ]))
  t.same(many.map(({ isNew }) => isNew), [false, true, false, true])
  await quiet(app)
  t.equal(await effects(app).countDocuments({ n: 21 }), 2, 'one per workspace')
  t.equal(await effects(app).countDocuments({ n: 23 }), 1)
})

t.test('P17: within a serial one after another, in order, and serials do not wait for each other', async (t) => {
  seen = []
  const groups = ['a', 'b', 'c', 'd']
  await app.tx(async (session) => await app.jobs.addMany(session, queueUp,
    Array.from({ length: 60 }, (_, n) => ({
      data: { n, group: groups[n % 4] as string }, options: { workspaceId: ws }
    }))))
  await until('all', () => seen.length === 60, 30_000)
  for (const group of groups) {
    const order = seen.filter((one) => one.group === group).map(({ n }) => n)
    t.same(order, [...order].sort((a, b) => a - b), `${group} ascends`)
  }
  t.equal(overlaps, 0)
})

t.test('a run that is not due yet waits, and starts in time', async (t) => {
  const runAt = new Date(app.clock.ms() + 900)
  const { id } = await app.tx(
    async (session) => await app.jobs.add(session, count, { n: 9 }, { runAt, workspaceId: ws })
  )
  await until('started', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done')
  const run = await runs(app).findOne({ _id: id })
  const lateMs = (run?.['startedAt'] as Date).getTime() - runAt.getTime()
  t.ok(lateMs >= 0 && lateMs < 600, `late by ${lateMs} ms`)
})

t.test('a run past its deadline ends expired, which is no failure', async (t) => {
  const { id } = await app.tx(async (session) => await app.jobs.add(session, count, { n: 10 }, {
    deadlineAt: new Date(app.clock.ms() - 1), workspaceId: ws
  }))
  await until('expired', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'expired')
  t.equal(await app.db.collection('jobs.letters').countDocuments({ runId: id }), 0)
})

t.test('an event goes once to each subscriber that wants it, in the order of its subject', async (t) => {
  seen = []
  for (let version = 1; version <= 6; version++) {
    await app.tx(
      async (session) => await app.events.emit(
        session, moved, { n: version }, { type: 'thing', id: 's1', version }, { workspaceId: ws }
      )
    )
  }
  await until('heard', () => seen.length === 9)
  t.same(seen.filter(({ what }) => what === 'event s1').map(({ n }) => n), [1, 2, 3, 4, 5, 6])
  t.same(seen.filter(({ what }) => what === 'even').map(({ n }) => n).sort(), [2, 4, 6])
  const log = await app.events.replay(
    { workspaceId: ws, type: moved.name, subject: { type: 'thing', id: 's1' }, fromVersion: 3, limit: 2 }
  )
  t.match(log, [{ subject: { version: 3 }, data: { n: 3 } }, { subject: { version: 4 } }])
})

t.test('a hundred emits that race for one version of a subject: one is written, the others hear of it', async (t) => {
  const answers = await Promise.allSettled(Array.from({ length: 100 }, async () => await app.tx(async (session) =>
    await app.events.emit(session, moved, { n: 1 }, { type: 'thing', id: 's2', version: 1 }, { workspaceId: ws }))))
  t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
  const codes = new Set(
    answers.flatMap((one) => one.status === 'rejected' ? [(one.reason as { code: string }).code] : [])
  )
  t.same([...codes], ['jobs.stale_version'])
  await quiet(app)
  t.equal(await runs(app).countDocuments({ name: hear.name, 'data.subject.id': 's2' }), 1)
})

t.test('outcomes follow the taxonomy, and a dead run has one letter', async (t) => {
  const add = async (how: string) => (
    await app.tx(async (session) => await app.jobs.add(session, fail, { how }, { workspaceId: ws }))
  ).id
  const [final, bug, once] = await Promise.all(['final', 'bug', 'once'].map(add)) as [string, string, string]
  const stateOf = async (id: string) => await runs(app).findOne({ _id: id })
  await until('dead', async () => (await stateOf(final))?.['state'] === 'dead')
  t.match(
    await app.db.collection('jobs.letters').find({ runId: final }).toArray(), [
      { class: 'permanent', code: 'test.wrong', state: 'open', attempts: [{ outcome: 'dead' }] }
    ]
  )
  await until('bug waits', async () => (await stateOf(bug))?.['attempt'] === 1)
  t.match(await stateOf(bug), { state: 'pending', attempts: [{ class: 'bug', code: 'TypeError' }] })
  await until('reset waits', async () => (await stateOf(once))?.['attempt'] === 1)
  await runs(app).updateMany({ _id: { $in: [bug, once] } }, { $set: { runAt: new Date() } })
  await until('bug is dead', async () => (await stateOf(bug))?.['state'] === 'dead')
  await until('once is done', async () => (await stateOf(once))?.['state'] === 'done')
  t.equal(await app.db.collection('jobs.letters').countDocuments({ runId: bug }), 1)
})

t.test('an open circuit holds its target: no attempt is spent, one probe goes first', async (t) => {
  circuit = true
  calls = []
  await app.tx(
    async (session) => await app.jobs.addMany(
      session, call, Array.from({ length: 40 }, (_, n) => ({ data: { n }, options: { workspaceId: ws } }))
    )
  )
  await until('the first calls', () => calls.length > 0)
  await until('held', async () => await runs(app).countDocuments({ name: call.name, state: 'pending' }) === 40)
  circuit = false
  await until('all done', async () => await runs(app).countDocuments({ name: call.name, state: 'done' }) === 40)
  t.equal(await runs(app).countDocuments({ name: call.name, attempt: { $gt: 0 } }), 0)
  t.ok(calls.length <= 81, `${calls.length} calls`)
})

t.test('a step is done once, progress is kept, the result stands in the run', async (t) => {
  const { id } = await app.tx(async (session) => await app.jobs.add(session, walk, { n: 1 }, { workspaceId: ws }))
  await until('first start failed', async () => (await runs(app).findOne({ _id: id }))?.['attempt'] === 1)
  await runs(app).updateOne({ _id: id }, { $set: { runAt: new Date() } })
  await until('done', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done')
  t.same(walked, ['first'])
  t.match(
    await runs(app).findOne({ _id: id }), { result: { first: { at: 1 } }, progress: { done: 2, total: 2 }, starts: 2 }
  )
})

t.test('P9: a run that is delivered three times at once has one effect and one end', async (t) => {
  const connection = bullConnection(app.redis)
  const bull = new Queue('fast', { connection, prefix: bullPrefix(place.name) })
  // The keeper leaves them alone: the test publishes them itself, and delivers each under three ids.
  const runAt = new Date(app.clock.ms() + 3_600_000)
  const added = await app.tx(async (session) => await app.jobs.addMany(session, count,
    Array.from({ length: 50 }, () => ({ data: { n: 99 }, options: { workspaceId: ws, runAt } }))))
  const ids = added.map(({ id }) => id)
  const candidates = ids.map((id) => ({ ...candidate, _id: id }))
  await createRelayRepository(app.db).publish(candidates, 'the test', runAt)
  await bull.addBulk(ids.flatMap((id) => [1, 2, 3].map((nth) =>
    ({ name: 'run', data: { r: id, n: 1 }, opts: { jobId: `twin-${nth}-${id}` } }))))
  await until('done', async () => await runs(app).countDocuments({ _id: { $in: ids }, state: 'done' }) === 50)
  await until('all deliveries ended', async () => await bull.getJobCountByTypes('waiting', 'active') === 0)
  await bull.close()
  connection.disconnect()
  t.equal(await effects(app).countDocuments({ n: 99 }), 50)
  t.equal(await runs(app).countDocuments({ _id: { $in: ids }, starts: { $ne: 1 } }), 0)
})

t.test('two keepers at once publish a run once', async (t) => {
  const repository = createRelayRepository(app.db)
  const runAt = new Date(app.clock.ms() + 60_000)
  const { id } = await app.tx(
    async (session) => await app.jobs.add(session, count, { n: 5 }, { workspaceId: ws, runAt }))
  const run = { ...candidate, _id: id }
  t.same(await repository.publish([run], 'early', app.clock.now()), [], 'nobody publishes what is not due')
  const [a, b] = await Promise.all(['p1', 'p2'].map(async (pass) => await repository.publish([run], pass, runAt)))
  t.equal((a?.length ?? 0) + (b?.length ?? 0), 1)
  await repository.takeBack()
})
