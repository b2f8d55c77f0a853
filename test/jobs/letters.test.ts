// Runs that died: told, grouped, edited, replayed at a rate, refused in a loop; through HTTP where there is a route.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { compareVersions, paced, refusalOf } from '../../src/jobs/replay.ts'
import { edit, hidden, redact } from '../../src/jobs/redact.ts'
import { groupOpened } from '../../src/jobs/index.ts'
import { defineErrors, defineJob, defineSubscriber, runDead, type Session } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const closed = { additionalProperties: false }
const Order = Type.Object({
  n: Type.Integer(), email: Type.Optional(Type.String({ maxLength: 50 })), isGood: Type.Optional(Type.Boolean())
}, closed)
const order = defineJob({ name: 'test.take-order', queue: 'mail', data: Order, redact: ['/email'] })
const hear = defineSubscriber({ name: 'test.hear-deaths', event: runDead })
const TestError = defineErrors('test', {
  wrong: { kind: 'conflict', message: 'It is wrong.' }, other: { kind: 'conflict', message: 'It is else.' }
})
const taken: number[] = []
const heard: string[] = []
let isMended = false

function bind (app: FastifyInstance): void {
  app.handleJob(order, async (ctx) => {
    const { n, isGood = false } = ctx.run.data
    if (!isGood && !isMended) throw n >= 100 ? TestError.other() : TestError.wrong()
    await ctx.commit(async () => { taken.push(n) })
  })
  app.onEvent(hear, async ({ data }) => {
    heard.push(data.runId)
    // Dies of what it heard: nobody is told of that death.
    throw TestError.wrong()
  })
}

const place = await stage(t, { jobs: [order], subscribers: [hear] }, bind)
const { app, ann, bob, operator, call, post } = place
const replay = async (payload: object) => await post('/dead-letters/replay', payload)

async function die (workspaceId: string, from: number, count: number): Promise<string[]> {
  const items = Array.from({ length: count }, (_, i) =>
    ({ data: { n: from + i, email: 'a@example.org' }, options: { workspaceId } }))
  const added = await app.tx(async (session) => await app.jobs.addMany(session, order, items))
  const ids = added.map(({ id }) => id)
  await until('dead', async () => await place.count('jobs.runs', { _id: { $in: ids }, state: 'dead' }) === count)
  return ids
}

async function letterOf (runId: string): Promise<string> {
  return (await app.db.collection<{ _id: string }>('jobs.letters').findOne({ runId }))?._id ?? ''
}

t.test('a death is told in its transaction: each run, and each new kind of trouble once', async (t) => {
  const ids = await die(ann.workspaceId, 1, 20)
  const [other = ''] = await die(bob.workspaceId, 100, 1)
  t.equal(await place.count('jobs.events', { type: runDead.name }), 21)
  t.equal(await place.count('jobs.events', { type: groupOpened.name }), 2, 'twenty of one kind opened one group')
  await until('heard', () => heard.length === 21)
  t.same(heard.toSorted(), [...ids, other].toSorted())
  await until('the hearers are dead', async () => await place.count('jobs.letters', { name: hear.name }) === 21)
  const [fact] = (await call(`/dead-letters?name=${hear.name}&limit=1`)).body.data
  t.match(await call(`/dead-letters/${fact.id}`, { method: 'PATCH', payload: { data: { name: 'x' } } }),
    { status: 409, body: { code: 'jobs.replay_refused' } }, 'an event is a fact')
  await app.db.collection<{ _id: string }>('jobs.letters').updateOne({ _id: fact.id }, { $set: { name: 'test.gone' } })
  t.match(await call(`/dead-letters/${fact.id}`, { method: 'PATCH', payload: { data: { name: 'x' } } }),
    { status: 422, body: { code: 'jobs.unknown_job' } }, 'a job that is not there any more')
  t.equal(await place.count('jobs.events', { type: runDead.name }), 21, 'no death of a hearer is told of')
  await app.db.collection('jobs.letters').deleteMany({ name: { $in: [hear.name, 'test.gone'] } })
})

t.test('groups and lists show a workspace its own, an operator all', async (t) => {
  const mine = await call('/dead-letters/groups')
  t.match(mine.body.data, [{ count: 20, name: order.name, class: 'permanent', code: 'test.wrong' }])
  t.equal(mine.body.data.length, 1)
  const all = await call('/dead-letters/groups', { as: operator })
  t.match(all.body.data, [
    { count: 20, workspaces: [{ workspaceId: ann.workspaceId, count: 20 }] },
    { count: 1, workspaces: [{ workspaceId: bob.workspaceId, count: 1 }] }
  ])
  const first = await call('/dead-letters?limit=15')
  t.equal(first.body.data.length, 15)
  const second = await call(`/dead-letters?limit=15&cursor=${encodeURIComponent(first.body.page.next)}`)
  t.equal(second.body.data.length, 5)
  t.equal(second.body.page.hasMore, false)
  const foreign = first.body.data[0].id as string
  t.match(await call(`/dead-letters/${foreign}`, { as: bob }), { status: 404, body: { code: 'jobs.letter_not_found' } })
  t.match((await call(`/dead-letters/${foreign}`, { as: operator })).body, { attempts: [{ outcome: 'dead' }] })
  t.equal((await call(`/dead-letters?workspaceId=${ann.workspaceId}`, { as: bob })).body.data.length, 0)
  t.match(await call('/dead-letters', { as: place.guest }), { status: 403 })
})

t.test('data is shown without what its job hides, and edited data is validated again', async (t) => {
  const [id = ''] = await die(ann.workspaceId, 50, 1)
  const letter = await letterOf(id)
  const path = `/dead-letters/${letter}`
  t.match(await call(path), { body: { data: { n: 50, email: hidden }, isEdited: false } })
  t.match((await call(`/runs/${id}`)).body,
    { state: 'dead', data: { email: hidden }, attempts: [{ code: 'test.wrong' }] })
  const wrong = await call(path, { method: 'PATCH', payload: { data: { n: 'x' } } })
  t.match(wrong, { status: 422, body: { code: 'jobs.schema_mismatch', errors: [{ pointer: '/n' }] } })
  t.match(await call(path), { body: { isEdited: false } }, 'nothing of it was kept')
  const good = await call(path, { method: 'PATCH', payload: { data: { isGood: true, email: hidden } } })
  t.match(good, { status: 200, body: { isEdited: true, data: { n: 50, isGood: true, email: hidden } } })
  const replayed = await replay({ ids: [letter] })
  t.match(replayed, { status: 200, body: { replayed: [{ id: letter }], refused: [] } })
  const runId = replayed.body.replayed[0].runId as string
  await until('done', async () => await place.count('jobs.runs', { _id: runId, state: 'done' }) === 1)
  t.match(await app.db.collection<{ _id: string }>('jobs.runs').findOne({ _id: runId }),
    { replayOf: id, replays: 1, lane: 'bulk', data: { n: 50, email: 'a@example.org', isGood: true } })
  t.match(await call(path), { body: { state: 'replayed', replayRunId: runId, closedBy: ann.userId } })
  t.equal(await place.count('jobs.runs', { _id: id, expireAt: { $exists: true } }), 1, 'the dead run may go')
  t.match(await call(path, { method: 'PATCH', payload: { data: { n: 1 } } }),
    { status: 409, body: { code: 'jobs.letter_closed' } })
  t.match((await replay({ ids: [letter] })).body,
    { replayed: [], refused: [{ id: letter, code: 'jobs.letter_closed' }] })
  t.equal(taken.filter((n) => n === 50).length, 1)
})

t.test('a filter is tried dry first, then replayed by a run that keeps the rate', async (t) => {
  const { body: { data: [{ fingerprint }] } } = await call('/dead-letters/groups')
  const filter = { fingerprint }
  t.match(await replay({ filter, dryRun: true }),
    { status: 200, body: { matched: 20, replayed: [], refused: [] } })
  t.equal(await place.count('jobs.letters', { state: 'replayed', fingerprint }), 1, 'a dry run changes nothing')
  t.match(await replay({}), { status: 422, body: { code: 'jobs.schema_mismatch' } })
  isMended = true
  const started = await replay({ filter, ratePerS: 20, lane: 'default' })
  t.match(started, { status: 202, body: { type: 'jobs.replay-letters' } })
  const done = { 'cause.id': started.body.id, state: 'done' }
  await until('all replayed', async () => await place.count('jobs.runs', done) === 20)
  isMended = false
  const runs = await app.db.collection('jobs.runs').find({ 'cause.id': started.body.id }).sort({ runAt: 1 }).toArray()
  const gaps = runs.slice(1).map((run, i) => run['runAt'].getTime() - runs[i]?.['runAt'].getTime())
  t.ok(gaps.every((ms) => Math.abs(ms - 50) <= 1), `gaps of ${Math.min(...gaps)} to ${Math.max(...gaps)} ms`)
  t.ok(runs.every((run) => run['startedAt'] >= run['runAt']), 'none starts before its time')
  const later = runs.filter((run) => run['runAt'] > run['createdAt'])
  t.ok(later.length > 0, `${later.length} were to start later`)
  t.same(later.map((run) => run['dueAt']), later.map((run) => run['runAt']), 'their age counts from then on')
  t.match(runs[0], { lane: 'default', replays: 1 })
  t.equal(await place.count('jobs.letters', { state: 'open', fingerprint }), 0)
  const batch = async () => (await call(`/batches/${started.body.id}`)).body
  await until('the replay is over', async () => (await batch()).state === 'complete')
  t.match(await batch(), { name: 'jobs.replay-letters', isSealed: true, counts: { done: 20 } })
  t.same(taken.filter((n) => n <= 20).toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1))
})

t.test('P20: a handler that stays broken is replayed three times, then refused', async (t) => {
  let [id = ''] = await die(ann.workspaceId, 70, 1)
  t.equal(await place.count('jobs.events', { type: groupOpened.name, workspaceId: ann.workspaceId }), 2,
    'after all were closed the next one is news again')
  for (let round = 1; round <= 3; round++) {
    const { body } = await replay({ ids: [await letterOf(id)], ratePerS: 1000 })
    id = body.replayed[0].runId as string
    await until('dead again', async () => await letterOf(id) !== '')
    t.match(await call(`/dead-letters/${await letterOf(id)}`), { body: { round, state: 'open' } })
  }
  const ids = [await letterOf(id)]
  const refused = { status: 409, body: { code: 'jobs.replay_loop' } }
  t.match(await replay({ ids }), refused)
  const filter = { name: order.name, code: 'test.wrong' }
  const dry = await replay({ filter, dryRun: true })
  t.match(dry.body, { matched: 1, refused: [{ id: ids[0], code: 'jobs.replay_loop' }] })
  const run = await replay({ filter })
  await until('the run ended', async () => await place.count('jobs.runs', { _id: run.body.id, state: 'done' }) === 1)
  t.equal(await place.count('jobs.letters', { _id: ids[0], state: 'open' }), 1, 'a filter leaves it where it is')
})

t.test('letters are discarded with a reason, and given out line by line', async (t) => {
  await die(ann.workspaceId, 80, 3)
  const answer = await app.inject({ url: '/v1/jobs/dead-letters/export?name=test.take-order', headers: ann.headers })
  t.match(answer.headers['content-type'], /^application\/x-ndjson/)
  const lines = answer.body.trim().split('\n').map((line) => JSON.parse(line) as { data: { n: number, email: string } })
  t.equal(lines.length, 4)
  t.ok(lines.every(({ data }) => data.email === hidden))
  const payload = { filter: { name: order.name, code: 'test.wrong' }, reason: 'a test' }
  const discard = { method: 'POST', payload } as const
  t.match(await call('/dead-letters/discard', { ...discard, as: bob }), { body: { discarded: 0 } })
  t.match(await call('/dead-letters/discard', discard), { status: 200, body: { discarded: 4, hasMore: false } })
  t.match((await call('/dead-letters?state=discarded')).body.data, [{ reason: 'a test', closedBy: ann.userId }])
  t.match(await call('/dead-letters/discard', discard), { body: { discarded: 0 } })
})

t.test('a rule replays what older code left, once all workers have the version', async (t) => {
  const [id = ''] = await die(ann.workspaceId, 90, 1)
  const letters = app.db.collection<{ _id: string, fingerprint: string }>('jobs.letters')
  const letter = await letterOf(id)
  await letters.updateOne({ _id: letter }, { $set: { codeVersion: '0.0.9' } })
  const { fingerprint = '' } = await letters.findOne({ _id: letter }) ?? {}
  const rules = (fromVersion: string) => ({ method: 'PUT', payload: { data: [{ fingerprint, fromVersion }] } }) as const
  t.match((await call('/dead-letters/rules', rules('99'))).body.data, [{ fromVersion: '99', ratePerS: 10 }])
  t.same((await call('/dead-letters/rules', { as: bob })).body.data, [], 'rules belong to a workspace')
  t.match(await call('/dead-letters/rules', rules('x')), { status: 400 })
  t.equal(await app.letterRules.applyAll('0.1.0', app.log), 0, 'the version is not there yet')
  await call('/dead-letters/rules', rules('0.1.0'))
  isMended = true
  const replayed = { _id: letter, state: 'replayed' }
  await until('replayed', async () => await place.count('jobs.letters', replayed) === 1, 20_000)
  await until('taken', () => taken.includes(90))
  isMended = false
  await die(ann.workspaceId, 91, 1)
  t.equal(await app.letterRules.applyAll('0.1.0', app.log), 0, 'what the new code left is no matter of the rule')
})

t.test('a replay and its batch end together, whichever somebody ends', async (t) => {
  const { workspaceId } = ann
  const [dead] = await die(workspaceId, 95, 1)
  const start = async (end: (session: Session, id: string) => Promise<unknown>) => await app.tx(async (session) => {
    const asked = { filter: { name: order.name }, ratePerS: 10, lane: 'bulk' as const }
    const { id } = await app.letters.start(session, [workspaceId], asked, workspaceId)
    await end(session, id)
    return id
  })
  const runs = app.db.collection<{ _id: string }>('jobs.runs')
  const cancelled = await start(async (session, _id) =>
    await runs.updateOne({ _id }, { $set: { state: 'cancelled' } }, { session: session as never }))
  const sealed = await start(async (session, id) => { await app.batches.seal(session, id) })
  for (const id of [cancelled, sealed]) {
    await until('complete', async () => (await call(`/batches/${id}`)).body.state === 'complete')
    t.match((await call(`/batches/${id}`)).body, { isSealed: true, pages: 0 })
    t.match(await call(`/batches/${id}`, { as: bob }), { status: 404 })
  }
  await until('it ended', async () => await place.count('jobs.runs', { _id: sealed, state: 'done' }) === 1)
  t.equal(await place.count('jobs.letters', { runId: dead, state: 'open' }), 1, 'none was tried again')
})

t.test('a dead replay that is replayed does what it did not, in a batch of its own', async (t) => {
  const { workspaceId } = ann
  const [lost] = await die(workspaceId, 96, 1)
  isMended = true
  const first = await app.tx(async (session) => {
    const asked = { filter: { name: order.name }, ratePerS: 1000, lane: 'default' as const }
    const { id } = await app.letters.start(session, [workspaceId], asked, workspaceId)
    await app.db.collection<{ _id: string }>('jobs.runs').updateOne(
      { _id: id }, { $set: { data: { scope: [workspaceId], filter: 'x' } } }, { session: session as never })
    return id
  })
  await until('it is dead', async () => await letterOf(first) !== '', 30_000)
  const letter = await letterOf(first)
  t.equal(await place.count('jobs.letters', { runId: lost, state: 'open' }), 1, 'it did nothing')
  const data = { scope: [workspaceId], filter: { name: order.name }, ratePerS: 1000, lane: 'default' }
  await call(`/dead-letters/${letter}`, { method: 'PATCH', payload: { data }, as: operator })
  const { body } = await post('/dead-letters/replay', { ids: [letter] }, operator)
  const second = body.replayed[0].runId as string
  await until('replayed', async () => await place.count('jobs.letters', { runId: lost, state: 'replayed' }) === 1)
  await until('complete', async () => (await call(`/batches/${second}`, { as: operator })).body.state === 'complete')
  isMended = false
  t.match((await call(`/batches/${second}`, { as: operator })).body,
    { name: 'jobs.replay-letters', isSealed: true, pages: 1, counts: { done: 3 } }, 'with what tests before it left')
  t.match(await app.db.collection('jobs.runs').findOne({ replayOf: lost }), { batchId: second, state: 'done' })
})

t.test('pure rules', async (t) => {
  t.equal(compareVersions('0.10.0', '0.9.9'), 1)
  t.equal(compareVersions('1.2', '1.2.0'), 0)
  const at = paced({ startMs: 1000, nowMs: 1000, done: 0, ratePerS: 100 })
  t.same([at(0), at(1), at(250)].map(Number), [1000, 1010, 3500])
  const later = paced({ startMs: 1000, nowMs: 60_000, done: 250, ratePerS: 100 })
  t.same([later(250), later(251)].map(Number), [60_000, 60_010], 'a replay that was cut does not make up for lost time')
  const early = paced({ startMs: 1000, nowMs: 1500, done: 250, ratePerS: 100 })
  t.same(Number(early(250)), 3500, 'nor does it overtake what it made before')
  t.same(redact({ a: { b: [1, { c: 2 }] }, d: 3 }, ['/a/b/1/c', '/e', '/a~1b']), { a: { b: [1, { c: hidden }] }, d: 3 })
  t.same(edit({ a: 1, b: { c: 's', d: 2 } }, { a: null, b: { c: hidden, d: 3 } }, ['/b/c']), { b: { c: 's', d: 3 } })
  const known = { jobs: new Map(), subscribers: new Map() }
  t.match(refusalOf({ name: 'x', runId: 'r' } as never, { _id: 'r' } as never, known), { code: 'jobs.unknown_job' })
  t.match(refusalOf({ name: 'x', runId: 'r' } as never, undefined, known), { code: 'jobs.run_not_found' })
})
