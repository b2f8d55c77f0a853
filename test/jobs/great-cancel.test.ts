// A cancel of thousands: each is kept from starting at once, and they end behind the answer.
import t from 'tap'
import { Type } from 'typebox'
import { defineJob, type AddOptions } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const work = defineJob({ name: 'test.do-work', queue: 'fast', data: Numbered })

let effects = 0
const place = await stage(t, { jobs: [work] }, (app) => {
  app.handleJob(work, async (ctx) => { await ctx.commit(async () => { effects++ }) })
})
const { app, ann, operator, call, post } = place
const { workspaceId } = ann
const later = () => new Date(app.clock.ms() + 3_600_000)
const run = async (id: string) => (await call(`/runs/${id}`)).body as { state: string }

t.test('P23: of a great many none starts any more, and they end behind the answer', async (t) => {
  await post('/queues/upkeep/pause', { reason: 'a test' }, operator)
  const ids: string[] = []
  for (let from = 0; from < 6000; from += 2000) {
    const items = Array.from({ length: 2000 }, (_, i) => (
      { data: { n: from + i }, options: { workspaceId, runAt: later() } }))
    const added = await app.tx(async (session) => await app.jobs.addMany(session, work, items))
    ids.push(...added.map(({ id }) => id))
  }
  const addOne = async (n: number) => {
    const options: AddOptions = { workspaceId, runAt: later(), dedupe: { key: 'one', mode: 'latest' } }
    return (await app.tx(async (session) => await app.jobs.add(session, work, { n }, options))).id
  }
  const one = await addOne(1)

  t.match(await call('/runs/cancel', { method: 'POST', payload: { filter: { name: work.name }, reason: 'a test' } }),
    { status: 200, body: { cancelled: 6001 } })
  t.match(await run(one), { state: 'cancelled' })
  const after = await addOne(2)
  t.not(after, one, 'what is added after the cancel is not taken in by what it ended')

  const [due = ''] = ids
  t.match(await run(due), { state: 'pending', cancel: { reason: 'a test' } })
  const payload = { runAt: app.clock.now().toISOString() }
  t.match(await call(`/runs/${due}`, { method: 'PATCH', payload }), { status: 200 })
  await until('it ended when it was due', async () => (await run(due)).state === 'cancelled')

  await post('/queues/upkeep/resume', {}, operator)
  await until('all ended', async () => await place.count('jobs.runs', { name: work.name, state: 'cancelled' }) === 6001)
  t.equal(effects, 0)
  t.match(await run(after), { state: 'pending' })
})
