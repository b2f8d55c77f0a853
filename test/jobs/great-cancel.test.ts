// A cancel of thousands: an order stands from before the answer until each of them has ended.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Type } from 'typebox'
import { defineJob, type AddOptions } from '../../src/kernel/index.ts'
import { youngMs } from '../../src/jobs/cancel-order.ts'
import { stage, until } from './stage.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const work = defineJob({ name: 'test.do-work', queue: 'fast', data: Numbered })
const first = defineJob({ name: 'test.go-first', queue: 'fast', data: Numbered })

let effects = 0
const go = Promise.withResolvers<undefined>()
const place = await stage(t, { jobs: [work, first] }, (app) => {
  app.handleJob(work, async (ctx) => { await ctx.commit(async () => { effects++ }) })
  app.handleJob(first, async () => { await go.promise })
})
const { app, ann, bob, operator, call, post } = place
const { workspaceId } = ann
const later = () => new Date(app.clock.ms() + 3_600_000)
const run = async (id: string) => (await call(`/runs/${id}`)).body as { state: string }
const orders = async () => await place.count('jobs.cancel_orders', {})

async function add (job: typeof work, n: number, options: AddOptions = {}): Promise<string> {
  return (await app.tx(async (session) => await app.jobs.add(session, job, { n }, { workspaceId, ...options }))).id
}

async function addAll (count: number, options: AddOptions): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += 2000) {
    const items = Array.from({ length: Math.min(2000, count - from) }, (_, i) => (
      { data: { n: from + i }, options: { workspaceId, runAt: later(), ...options } }))
    const added = await app.tx(async (session) => await app.jobs.addMany(session, work, items))
    ids.push(...added.map(({ id }) => id))
  }
  return ids
}

const cancelAll = async () =>
  await call('/runs/cancel', { method: 'POST', payload: { filter: { name: work.name }, reason: 'a test' } })

t.test('P23: of a great many none starts any more, and they end behind the answer', async (t) => {
  await post('/queues/upkeep/pause', { reason: 'a test' }, operator)
  const ahead = await add(first, 0, { serial: 'one' })
  await until('it runs', async () => (await run(ahead)).state === 'running')
  const next = await add(work, 0, { serial: 'one' })
  const needy = await add(work, 0, { needs: [ahead], onNeedFailure: 'fail' })
  const foreign = await add(work, 0, { workspaceId: bob.workspaceId, runAt: later() })
  const ids = await addAll(6000, {})
  await sleep(youngMs)
  const young = await add(work, 0, { runAt: later() })
  const addOne = async (n: number) => await add(work, n, { runAt: later(), dedupe: { key: 'one', mode: 'latest' } })
  const one = await addOne(1)

  t.match(await cancelAll(), { status: 200, body: { cancelled: 6004 } })
  t.equal(await orders(), 1)
  for (const id of [one, young]) t.match(await run(id), { state: 'cancelled' })
  const after = await addOne(2)
  t.not(after, one, 'what is added after the cancel is not taken in by what it ended')
  t.match(await run(needy), { state: 'blocked', cancel: { reason: 'a test', by: ann.userId } })
  t.match(await cancelAll(), { status: 200, body: { cancelled: 1 } }, 'what is cancelled already is not counted again')
  t.match(await run(after), { state: 'cancelled' })
  const newest = await add(work, 3, { runAt: later() })

  const [due = '', moved = ''] = ids
  t.match(await run(due), { state: 'pending', cancel: { reason: 'a test' } })
  const payload = { runAt: app.clock.now().toISOString() }
  t.match(await call(`/runs/${due}`, { method: 'PATCH', payload }), { status: 200 })
  await until('it ended when it was due', async () => (await run(due)).state === 'cancelled')
  const reorder = { method: 'POST' as const, payload: { filter: { name: work.name }, lane: 'bulk' } }
  t.match(await call('/runs/reorder', reorder), { status: 200, body: { reordered: 1 } })
  t.match(await run(moved), { state: 'pending', lane: 'default' })
  go.resolve(undefined)
  await until('the next of the serial ended', async () => (await run(next)).state === 'cancelled')
  t.equal(effects, 0)
  t.match(await call(`/runs/${foreign}`, { method: 'PATCH', payload, as: bob }), { status: 200 })
  await add(work, 4)
  await until('what it does not mean starts', async () => effects === 2)

  await post('/queues/upkeep/resume', {}, operator)
  await until('all ended', async () => await place.count('jobs.runs', { name: work.name, state: 'cancelled' }) === 6005)
  await until('the order is gone', async () => await orders() === 0)
  t.match(await run(moved), { state: 'cancelled', cancel: { reason: 'a test', by: ann.userId } })
  t.match(await run(newest), { state: 'pending', lane: 'bulk' })
  t.equal(effects, 2)
})
