// What operators give resources and workspaces over HTTP, and what it does to runs.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Type } from 'typebox'
import { createLimits } from '../../src/jobs/index.ts'
import { defineJob, defineResource } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const Timed = Type.Object({ ms: Type.Integer() }, { additionalProperties: false })
const work = defineJob({ name: 'test.do-work', queue: 'fast', data: Timed })
const narrow = defineJob({ name: 'test.pass-door', queue: 'fast', data: Timed, resources: () => ['door'] })
const door = defineResource({ name: 'door', capacity: 3, ratePerS: 500 })

const lone = defineJob({ name: 'test.climb-attic', queue: 'webhook', data: Timed, resources: () => ['attic'] })

const kept = defineJob({ name: 'test.keep-still', queue: 'publish', data: Timed })
const isLetGo = Promise.withResolvers<void>()

const release = Promise.withResolvers<void>()

const atWork = new Map<string, number>()
const most = new Map<string, number>()

const place = await stage(t, { jobs: [work, narrow, lone, kept], resources: [door] }, (worker) => {
  for (const job of [work, narrow]) {
    worker.handleJob(job, async ({ run }) => {
      const live = (atWork.get(run.name) ?? 0) + 1
      atWork.set(run.name, live)
      most.set(run.name, Math.max(most.get(run.name) ?? 0, live))
      await sleep(run.data.ms)
      atWork.set(run.name, (atWork.get(run.name) ?? 0) - 1)
    })
  }
  worker.handleJob(lone, async () => { await release.promise })
  worker.handleJob(kept, async () => { await isLetGo.promise })
})
const { app, ann, operator, count } = place
const call = async (url: string, as = operator) => await place.call(url, { as })
const put = async (url: string, payload: object, as = operator) =>
  await place.call(url, { method: 'PUT', payload, as })

async function add (job: typeof work, many: number, ms: number): Promise<void> {
  await app.tx(async (session) => await app.jobs.addMany(session, job, Array.from(
    { length: many }, () => ({ data: { ms }, options: { workspaceId: ann.workspaceId } }))))
}

const ended = async (job: typeof work): Promise<void> => {
  const open = { name: job.name, state: { $nin: ['done', 'cancelled'] } }
  await until('all', async () => await count('jobs.runs', open) === 0, 20_000)
}

t.test('capacity belongs to operators of the installation', async (t) => {
  const share = `/shares/${ann.workspaceId}`
  for (const url of ['/resources', '/resources/door', share]) t.match(await call(url, ann), { status: 403 }, url)
  for (const url of ['/resources/door', share]) t.match(await put(url, {}, ann), { status: 403 }, `PUT ${url}`)
  t.match(await call('/resources/nowhere'), { status: 404, body: { code: 'jobs.resource_not_found' } })
  t.match(await call(share), {
    status: 200, body: { workspaceId: ann.workspaceId, weight: 1, maxLive: null, perMin: null, maxBacklog: 1_000_000 }
  })
})

t.test('a limit that takes too long to find out is not told, any other trouble is', async (t) => {
  const thrower = (error: Error) => createLimits({
    clock: app.clock,
    shares: { find: async () => ({ _id: 'w', maxLive: 1 }), live: async () => { throw error } } as never
  })
  const waiting = { state: 'pending', heldBy: null, runAt: new Date(0), queue: 'fast', workspaceId: 'w' } as const
  t.equal(await thrower(Object.assign(new Error('operation exceeded time limit'), { code: 50 }))(waiting), undefined)
  await t.rejects(thrower(new Error('away'))(waiting), /away/)
})

t.test('what is refused is named by its place', async (t) => {
  const now = app.clock.now().toISOString()
  const cases: Array<[string, object, number, string, string]> = [
    ['/resources/door', { capacity: -1 }, 400, 'http.validation_failed', '/capacity'],
    ['/resources/door', { ratePerS: 0 }, 400, 'http.validation_failed', '/ratePerS'],
    ['/resources/door', { blackouts: [{ from: now, to: now }] }, 422, 'jobs.schema_mismatch', '/blackouts/0/to'],
    ['/resources/door', { blackouts: [{ daily: { from: '22:00', to: '06:00' }, zone: 'No/Where' }] }, 422,
      'jobs.zone_unknown', '/blackouts/0/zone'],
    ['/resources/*', { capacity: 1 }, 422, 'jobs.schema_mismatch', '/capacity'],
    ['/shares/w', { maxLive: 0 }, 400, 'http.validation_failed', '/maxLive'],
    ['/shares/w', { weight: 1000 }, 400, 'http.validation_failed', '/weight']
  ]
  for (const [url, payload, status, code, pointer] of cases) {
    t.match(await put(url, payload), { status, body: { code, errors: [{ in: 'body', pointer }] } }, pointer)
  }
})

t.test('a resource is listed, changed and given back to its declaration', async (t) => {
  t.match(await call('/resources/door'), {
    body: { name: 'door', isDeclared: true, capacity: 3, ratePerS: 500, taken: 0 }
  })
  const { blackouts: none, settings } = (await call('/resources/door')).body
  t.same([none, settings], [[], {}])
  const blackouts = [{ daily: { from: '22:00', to: '06:00' }, days: [6, 7], zone: 'Europe/Berlin' }]
  t.match(await put('/resources/door', { capacity: 1, blackouts: [] }), {
    status: 200, body: { capacity: 1, ratePerS: 500, settings: { capacity: 1 } }
  })
  t.match(await put('/resources/attic', { capacity: 7, ratePerS: 0.5, blackouts }), {
    status: 200, body: { name: 'attic', isDeclared: false, capacity: 7, ratePerS: 0.5, blackouts }
  })
  const first = await call('/resources?limit=1')
  t.match(first.body, { data: [{ name: 'attic', settings: { capacity: 7 } }], page: { hasMore: true } })
  const second = await call(`/resources?limit=1&cursor=${encodeURIComponent(first.body.page.next)}`)
  t.match(second.body, { data: [{ name: 'door', capacity: 1 }] })

  await add(narrow, 4, 60)
  await until('one has it', async () => (await call('/resources/door')).body.holders.length === 1)
  await ended(narrow)
  t.equal(most.get(narrow.name), 1, 'as narrow as it was set')
  const open = await put('/resources/door', {})
  t.match(open, { body: { capacity: 3, settings: {} } })
  t.same(open.body.settings, {})
  await add(narrow, 8, 100)
  await ended(narrow)
  t.equal(most.get(narrow.name), 3, 'as wide as it is declared')
})

t.test('the cap of a workspace holds, and goes with the next write', async (t) => {
  const share = `/shares/${ann.workspaceId}`
  t.match(await put(share, { maxLive: 1, weight: 2 }), { status: 200, body: { maxLive: 1, weight: 2, perMin: null } })
  t.match(await call(share), { body: { maxLive: 1, weight: 2 } })
  // Half a second until the relay looks again.
  await sleep(1100)
  await add(work, 4, 60)
  await ended(work)
  t.equal(most.get(work.name), 1)
  t.match(await put(share, {}), { body: { maxLive: null, weight: 1 } })
  await sleep(1100)
  await add(work, 8, 100)
  await ended(work)
  t.ok((most.get(work.name) ?? 0) > 1, `${most.get(work.name)} at once`)
})

t.test('a run that a limit of its workspace keeps back says which, and only it does', async (t) => {
  const share = `/shares/${ann.workspaceId}`
  const own = async (filter: object) =>
    await app.db.collection<{ _id: string }>('jobs.runs').findOne({ name: kept.name, ...filter })
  const idOf = async (filter: object): Promise<string> => (await own(filter))?._id ?? ''
  const run = async (id: string) => (await call(`/runs/${id}`)).body as Record<string, unknown>
  await put(share, { maxLive: 1 })
  await sleep(1100)
  await add(kept, 2, 1)
  await until('one is at work', async () => await own({ state: 'running' }) !== null)
  const second = await idOf({ state: 'pending' })
  t.match(await run(second), { state: 'pending', heldBy: 'workspace_cap' })
  t.equal((await run(await idOf({ state: 'running' })))['heldBy'], undefined, 'not of one at work')
  const { body: { data } } = await call(`/runs?state=pending&name=${kept.name}`)
  t.match(data, [{ id: second }])
  t.equal(data[0].heldBy, undefined, 'a list says only what is written')
  t.equal((await own({ _id: second }))?.['heldBy' as '_id'], null, 'and nothing is written')
  const later = await app.tx(async (session) => await app.jobs.add(session, kept, { ms: 1 }, {
    workspaceId: ann.workspaceId, runAt: new Date(app.clock.ms() + 600_000)
  }))
  t.equal((await run(later.id))['heldBy'], undefined, 'not of one that is not due')
  await place.post(`/runs/${later.id}/cancel`, { reason: 'a test' }, operator)

  await put(share, { maxLive: 9, perMin: 1 })
  await until('the rate lets one go', async () => await own({ _id: second, state: 'running' }) !== null)
  await add(kept, 1, 1)
  const third = await idOf({ state: 'pending' })
  t.match(await run(third), { state: 'pending', heldBy: 'workspace_rate' })
  isLetGo.resolve()
  await until('they ended', async () => await own({ state: 'running' }) === null)
  t.match(await run(third), { state: 'pending', heldBy: 'workspace_rate' }, 'an ended start counts too')
  t.equal((await run(second))['heldBy'], undefined)
  await put(share, {})
  await ended(kept)
})

t.test('a schedule explains what its next slot would wait for, and why', async (t) => {
  const attic = async () => (await call('/resources/attic')).body.taken as number
  const made = await place.post('/schedules', {
    name: 'attic.daily', job: lone.name, data: { ms: 1 }, spec: { cron: '0 3 * * *' }, zone: 'UTC', overlap: 'allow_all'
  }, operator)
  const explain = async () =>
    (await call(`/schedules/${made.body.id}/explain?count=2`)).body.slots as Array<Record<string, unknown>>
  await put('/resources/attic', {})
  t.same((await explain()).map(({ verdict, reasons }) => [verdict, reasons]), [['fire', []], ['fire', []]])
  await add(lone, 1, 1)
  await until('it is taken', async () => await attic() === 1)
  t.match(await explain(), [{ verdict: 'wait', reasons: ['resource'], expectedStartAt: null }, { verdict: 'fire' }])

  const slot = await place.post(`/schedules/${made.body.id}/trigger`, {}, operator)
  t.match(slot, { body: { outcome: 'fire' } }, 'its run is made, and waits')
  await until('held', async () => (await call(`/runs/${slot.body.runId}`)).body.heldBy === 'resource')
  await put('/resources/attic', { capacity: 2 })
  t.match(await explain(), [{ verdict: 'fire' }, {}], 'there is a free place again')
  await until('both are at work', async () => await attic() === 2)
  t.match(await explain(), [{ verdict: 'wait', reasons: ['resource'] }, {}])

  const nowMs = app.clock.ms()
  await put('/resources/attic', { capacity: 9, ratePerS: 0.00001 })
  await app.db.collection<{ _id: string }>('jobs.resources').updateOne(
    { _id: 'attic' }, { $set: { tokens: 0, tokensAt: new Date(nowMs) } })
  const [used] = await explain()
  t.match(used, { verdict: 'wait', reasons: ['rate'] })
  t.ok(Math.abs(Date.parse(String(used?.['expectedStartAt'])) - nowMs - 100_000_000) < 10_000, 'a day and more')

  await put('/resources/attic', { capacity: 9 })
  await place.post('/queues/webhook/pause', { workspaceId: operator.workspaceId }, operator)
  t.match(await explain(), [{ verdict: 'wait', reasons: ['queue_paused'] }, { verdict: 'wait' }])
  await place.post('/queues/webhook/resume', { workspaceId: operator.workspaceId }, operator)
  t.match(await explain(), [{ verdict: 'fire' }, { verdict: 'fire' }])
  release.resolve()
  await ended(lone)
})
