// What operators do: cancel, re-order, pause, look at queues.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { createClaimRepository } from '../../src/jobs/index.ts'
import { defineJob, uuidv7, type AddOptions } from '../../src/kernel/index.ts'
import { dial, type Frame } from '../live/client.ts'
import { stage, until } from './stage.ts'

const closed = { additionalProperties: false }
const Numbered = Type.Object({ n: Type.Integer() }, closed)
const work = defineJob({ name: 'test.do-work', queue: 'fast', data: Numbered })
const obey = defineJob({ name: 'test.obey-signal', queue: 'fast', data: Numbered })
const stubborn = defineJob({ name: 'test.ignore-signal', queue: 'webhook', data: Numbered })

const aborted: string[] = []
let commitsAt = Promise.resolve()
let insideCommit = 0

function bind (app: FastifyInstance): void {
  app.handleJob(work, async (ctx) => {
    await ctx.commit(async (session) => {
      insideCommit++
      await commitsAt
      await app.db.collection<{ _id: string }>('test.effects').insertOne({ _id: ctx.run.id }, { session })
    })
  })
  app.handleJob(obey, async ({ signal, run }) => {
    await sleep(60_000, undefined, { signal }).catch(() => undefined)
    aborted.push((signal.reason as { reason: string }).reason)
    if (run.data.n === 1) throw new Error('it ended badly')
  })
  app.handleJob(stubborn, async (ctx) => {
    await sleep(400)
    if (ctx.run.data.n === 1) await ctx.commit(async () => { insideCommit += 1000 })
    return { n: ctx.run.data.n }
  })
}

const declared = {
  jobs: [work, obey, stubborn], collections: [{ name: 'test.effects', indexes: [] }]
}
const place = await stage(t, declared, bind)
const { app, worker, ann, bob, operator, call } = place
const later = () => new Date(app.clock.ms() + 3_600_000)
const run = async (id: string) => (await call(`/runs/${id}`)).body as { state: string, [name: string]: unknown }
const cancel = async (id: string, as: typeof ann = ann) =>
  await call(`/runs/${id}/cancel`, { method: 'POST', payload: { reason: 'a test' }, as })

async function add (job: typeof work, n: number, options: AddOptions = {}): Promise<string> {
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, job, { n }, { workspaceId: ann.workspaceId, ...options }))
  return id
}

t.test('runs are listed page by page, by what they are and when; an operator sees all of them', async (t) => {
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.push(await add(work, n, { runAt: later(), ...(n === 4 ? { lane: 'bulk' } : {}) }))
  // Those that a sign-up made may wait still.
  const ours = '/runs?name=test.do-work'
  const first = await call(`${ours}&limit=3&state=pending`)
  t.same(first.body.data.map(({ id }: { id: string }) => id), ids.toReversed().slice(0, 3))
  const second = await call(`${ours}&limit=3&state=pending&cursor=${encodeURIComponent(first.body.page.next)}`)
  t.same(second.body.data.map(({ id }: { id: string }) => id), ids.toReversed().slice(3))
  t.match(await call(`${ours}&limit=2&state=pending&cursor=${encodeURIComponent(first.body.page.next)}&lane=bulk`),
    { status: 400, body: { code: 'http.cursor_invalid' } })
  t.equal((await call(`${ours}&lane=bulk`)).body.data.length, 1)
  t.equal((await call(`${ours}&from=${new Date(app.clock.ms() + 1000).toISOString()}`)).body.data.length, 0)
  t.equal((await call(`${ours}&to=${new Date(app.clock.ms() + 1000).toISOString()}`)).body.data.length, 5)
  t.match(await call('/runs', { as: bob }), { body: { data: [] } })
  t.ok((await call('/runs?state=pending', { as: operator })).body.data.length >= 5)
  t.match(await call(`/runs/${ids[0]}`, { as: bob }), { status: 404, body: { code: 'jobs.run_not_found' } })
  t.match(await call(`/runs/${ids[0]}`), { body: { data: { n: 0 }, attempts: [], state: 'pending', cause: null } })
  t.match(await call('/runs', { as: place.guest }), { status: 403 })
  t.match(await cancel(ids[0] as string, place.guest), { status: 403 })
  t.match(await call('/runs/cancel', { method: 'POST', payload: { filter: { name: work.name }, reason: 'x' } }),
    { status: 200, body: { cancelled: 5 } })
})

t.test('P23: a waiting run ends at once, and a finished one is a conflict with its state', async (t) => {
  const id = await add(work, 1, { runAt: later() })
  t.match(await cancel(id), { status: 200, body: { state: 'cancelled', cancel: { reason: 'a test', by: ann.userId } } })
  t.match(await cancel(id), { status: 409, body: { code: 'jobs.run_finished', state: 'cancelled' } })
  const done = await add(work, 2)
  await until('done', async () => (await run(done)).state === 'done')
  t.match(await cancel(done), { status: 409, body: { code: 'jobs.run_finished', state: 'done' } })
  t.match(await call(`/runs/${done}`, { method: 'PATCH', payload: { lane: 'bulk' } }),
    { status: 409, body: { code: 'jobs.run_finished', state: 'done' } })
  t.match(await cancel(uuidv7()), { status: 404 })
})

t.test('P23: a running one is aborted with the reason, also where the message is lost', async (t) => {
  const ids = await Promise.all([0, 1].map(async (n) => await add(obey, n)))
  await until('running', async () => await place.count('jobs.runs', { _id: { $in: ids }, state: 'running' }) === 2)
  const sinceMs = performance.now()
  t.match(await cancel(ids[0] as string), { status: 200, body: { cancel: { reason: 'a test' } } })
  await until('ended', async () => (await run(ids[0] as string)).state === 'cancelled')
  t.ok(performance.now() - sinceMs < 1000, `within ${Math.round(performance.now() - sinceMs)} ms`)
  await app.db.collection<{ _id: string }>('jobs.runs').updateOne(
    { _id: ids[1] as string }, { $set: { cancel: { reason: 'quietly', by: 'x', at: app.clock.now() } } })
  await until('ended too', async () => (await run(ids[1] as string)).state === 'cancelled')
  t.same(aborted, ['cancelled', 'cancelled'])
  t.equal(await place.count('jobs.letters', { name: obey.name }), 0, 'what was cancelled is no failure')
})

t.test('P23: a cancelled run commits nothing, and ends when its handler returns', async (t) => {
  insideCommit = 0
  const ids = await Promise.all([0, 1].map(async (n) => await add(stubborn, n)))
  await until('running', async () => await place.count('jobs.runs', { _id: { $in: ids }, state: 'running' }) === 2)
  for (const id of ids) await cancel(id)
  for (const id of ids) await until('ended', async () => (await run(id)).state === 'cancelled')
  t.equal(insideCommit, 0, 'the commit was refused')
  // The same where the worker heard nothing: the store refuses.
  const claims = createClaimRepository(app.db)
  const id = await add(work, 5, { runAt: later() })
  const key = { id, fence: 1, claim: 'c' }
  const start = { state: 'running', isLive: true, fence: 1, claim: 'c', worker: worker.processes.id }
  await app.db.collection<{ _id: string }>('jobs.runs').updateOne({ _id: id }, { $set: start })
  await app.runControl.cancel(ann.actor, id, 'x')
  t.equal(await app.tx(async (session) => await claims.finish(session, key, undefined, app.clock.now())), false)
  t.equal(await app.tx(async (session) => await claims.touch(session, key, app.clock.now())), false)
  const again = {
    kind: 'again' as const, runAt: later(), isCounted: true, isConflict: false, attempt: undefined
  }
  t.equal(await claims.end([{ key, outcome: again }], app.clock.now()), 0)
  t.equal((await run(id)).state, 'cancelled', 'nor is it tried again')
})

t.test('P23: a cancel during a commit waits for it: effective or cancelled, never both', async (t) => {
  let open: () => void = () => undefined
  commitsAt = new Promise((resolve) => { open = resolve })
  insideCommit = 0
  const ids = await Promise.all(Array.from({ length: 10 }, async (_, n) => await add(work, n)))
  await until('inside', () => insideCommit >= 10)
  const answers = ids.map(async (id) => await cancel(id))
  await sleep(100)
  open()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  const over = { _id: { $in: ids }, endedAt: { $exists: true } }
  await until('over', async () => await place.count('jobs.runs', over) === 10)
  for (const [i, id] of ids.entries()) {
    const { state } = await run(id)
    const effects = await place.count('test.effects', { _id: id })
    t.same([state, effects, statuses[i]], state === 'done' ? ['done', 1, 409] : ['cancelled', 0, 200])
  }
  commitsAt = Promise.resolve()
})

t.test('a run that has not started gets another lane and time', async (t) => {
  const id = await add(work, 7, { runAt: later() })
  const path = `/runs/${id}`
  t.match(await call(path, { method: 'PATCH', payload: { lane: 'bulk' } }),
    { status: 200, body: { lane: 'bulk', state: 'pending' } })
  t.match(await call(path, { method: 'PATCH', payload: {} }), { status: 400 })
  const runAt = app.clock.now().toISOString()
  t.match(await call(path, { method: 'PATCH', payload: { runAt }, as: bob }), { status: 404 })
  t.match(await call(path, { method: 'PATCH', payload: { runAt } }), { status: 200, body: { runAt } })
  await until('done', async () => (await run(id)).state === 'done')
})

t.test('a backlog gets another lane and time in one go', async (t) => {
  const mine = [await add(work, 8, { runAt: later() }), await add(work, 9, { runAt: later() })]
  const other = await add(work, 9, { runAt: later(), workspaceId: bob.workspaceId })
  const reorder = async (payload: object, as = ann) => await place.post('/runs/reorder', payload, as)
  const filter = { name: work.name }
  for (const vague of [{ filter }, { filter: {}, lane: 'bulk' }]) t.match(await reorder(vague), { status: 400 })
  t.match(await reorder({ filter, lane: 'bulk' }, place.guest), { status: 403 })
  const runAt = app.clock.now().toISOString()
  t.match(await reorder({ filter, lane: 'bulk', runAt }), { status: 200, body: { reordered: 2 } })
  const done = { _id: { $in: mine }, state: 'done', lane: 'bulk' }
  await until('done', async () => await place.count('jobs.runs', done) === 2)
  t.equal(await place.count('jobs.runs', { _id: other, state: 'pending', lane: 'default' }), 1, 'each his own')
  await cancel(other, bob)
})

t.test('queues say how they stand, and a paused one starts nothing', async (t) => {
  t.match(await call('/queues'), { status: 403 }, 'for operators only')
  const post = async (path: string, payload = {}, as = operator) => await place.post(path, payload, as)
  t.match(await post('/queues/nowhere/pause'), { status: 404, body: { code: 'jobs.queue_unknown' } })
  t.match(await post('/queues/fast/pause', {}, ann), { status: 403 })
  t.match(await post('/queues/fast/pause', { reason: 'a test' }), {
    status: 200, body: { isPaused: true, pause: { reason: 'a test', by: operator.userId } }
  })
  await until('seen', async () => {
    const id = await add(work, 1)
    await sleep(50)
    return (await run(id))['heldBy'] === 'paused'
  })
  const id = await add(work, 2, { lane: 'interactive' })
  await until('held', async () => (await run(id))['heldBy'] === 'paused')
  const queues = (await call('/queues', { as: operator })).body.data as Array<Record<string, unknown>>
  const fast = queues.find(({ queue }) => queue === 'fast')
  t.match(fast, { isPaused: true, workers: 1, concurrency: 50, live: 0, waiting: { interactive: 1, bulk: 0 } })
  t.ok(fast?.['oldestAgeMs'] as number >= 0)
  t.equal(queues.length, 12)
  t.match(await post('/queues/fast/resume'), { body: { isPaused: false } })
  await until('done', async () => (await run(id)).state === 'done')
  // One tenant: others go on.
  t.match(await post('/queues/fast/pause', { workspaceId: ann.workspaceId }), {
    body: { isPaused: false, pausedWorkspaces: [ann.workspaceId] }
  })
  await until('loaded', async () => {
    const one = await add(work, 1)
    await sleep(50)
    return (await run(one))['heldBy'] === 'paused'
  })
  const other = await add(work, 3, { workspaceId: bob.workspaceId })
  await until('done', async () => await place.count('jobs.runs', { _id: other, state: 'done' }) === 1)
  await post('/queues/fast/resume', { workspaceId: ann.workspaceId })
  await until('all done', async () => await place.count('jobs.runs', { name: work.name, state: 'pending' }) === 0)
  await until('the rate is told', async () => {
    const { body } = await call('/queues', { as: operator })
    return body.data.find(({ queue }: { queue: string }) => queue === 'fast').startsPerMin > 0
  })
})

t.test('an operator watches a queue move, and nobody else may', async (t) => {
  const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws') + '/live'
  const channel = 'jobs.queue:fast'
  const member = await dial(t, url)
  await member.ask({ t: 'connect', v: 1, token: ann.accessToken, session: 'one' })
  t.match(await member.ask({ t: 'sub', ch: channel }), { err: { code: 103 } })
  const client = await dial(t, url)
  await client.ask({ t: 'connect', v: 1, token: operator.accessToken, session: 'two', subs: { [channel]: {} } })
  t.ok((await client.ask({ t: 'sub', ch: 'jobs.queue:nowhere' }))['err'], 'there is no such queue')
  const later = await add(work, 900, { runAt: new Date(app.clock.ms() + 3_600_000) })
  const waiting = (count: number) => ({ ch, d }: Frame) => ch === channel && d?.waiting?.default === count
  await client.next(waiting(1), 20_000)
  await app.runControl.cancel(ann.actor, later, 'seen')
  await client.next(waiting(0), 20_000)
})
