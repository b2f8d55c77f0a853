// The event log: read, heard again by one subscriber, and by a new one during a deploy.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { replayEvents } from '../../src/jobs/index.ts'
import { idFloor } from '../../src/jobs/keys.ts'
import { defineEvent, defineSubscriber } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const moved = defineEvent({ name: 'test.thing.moved', data: Numbered })
const hear = defineSubscriber({ name: 'test.hear-moves', event: moved, order: 'subject' })
const hearEven = defineSubscriber({ name: 'test.hear-even', event: moved, when: ({ n }) => n % 2 === 0 })
const pay = defineSubscriber({ name: 'test.pay-moves', event: moved, replay: 'refuse' })

const heard: Array<{ by: string, n: number, isReplay: boolean }> = []

function bind (app: FastifyInstance): void {
  for (const subscriber of [hear, hearEven, pay]) {
    app.onEvent(subscriber, async ({ data: { n }, isReplay }) => { heard.push({ by: subscriber.name, n, isReplay }) })
  }
}

const place = await stage(t, { events: [moved], subscribers: [hear, hearEven, pay] }, bind)
const { app, worker, ann, bob, call } = place

async function emit (n: number): Promise<string> {
  return await app.tx(async (session) => await app.events.emit(
    session, moved, { n }, { type: 'thing', id: 's1', version: n }, { workspaceId: ann.workspaceId }))
}

t.test('the log is read by type, subject and time, and heard again by one subscriber', async (t) => {
  const from = new Date(app.clock.ms() - 1).toISOString()
  for (let n = 1; n <= 6; n++) await emit(n)
  await until('heard', () => heard.length === 15)
  heard.length = 0
  const page = await call(`/events?type=${moved.name}&limit=4`)
  t.same(page.body.data.map(({ data: { n } }: { data: { n: number } }) => n), [6, 5, 4, 3])
  t.equal((await call(`/events?subject=thing:s1&from=${from}`)).body.data.length, 6)
  t.equal((await call('/events?subject=thing:s2')).body.data.length, 0)
  t.equal((await call(`/events?type=${moved.name}`, { as: bob })).body.data.length, 0)
  const replay = async (body: object, as = ann) => await call('/events/replay', {
    method: 'POST', payload: { type: moved.name, from, subscriber: hear.name, ...body }, as
  })
  t.match(await replay({ dryRun: true }), { status: 200, body: { matched: 6 } })
  t.match(await replay({ dryRun: true }, bob), { body: { matched: 0 } })
  t.match(await replay({ subscriber: pay.name }), { status: 409, body: { code: 'jobs.replay_refused' } })
  t.match(await replay({ subscriber: 'test.nobody' }), { status: 422, body: { errors: [{ pointer: '/subscriber' }] } })
  t.match(await replay({ type: 'jobs.run.dead' }), { status: 422, body: { errors: [{ pointer: '/subscriber' }] } })
  const started = await replay({ subject: 'thing:s1', ratePerS: 100 })
  t.match(started, { status: 202, body: { type: 'jobs.replay-events' } })
  await until('heard again', () => heard.length === 6)
  t.same(heard.map(({ n }) => n), [1, 2, 3, 4, 5, 6], 'in the order of the subject')
  t.ok(heard.every(({ by, isReplay }) => by === hear.name && isReplay))
  await replay({ subscriber: hearEven.name, ratePerS: 1000 })
  await until('even ones again', () => heard.length === 9)
  t.same(heard.slice(6).map(({ n }) => n).toSorted(), [2, 4, 6], 'who did not want it does not hear it now')
  t.equal(await place.count('jobs.runs', { isReplay: true, 'cause.id': started.body.id }), 6)
  const batch = async (id: string = started.body.id) => (await call(`/batches/${id}`)).body
  await until('it is over', async () => (await batch()).state === 'complete' && (await batch()).counts.done === 6)
  const made = await app.db.collection('jobs.runs').find({ isReplay: true, 'cause.id': started.body.id }).toArray()
  t.same(made.map(({ dueAt }) => dueAt), made.map(({ runAt }) => runAt), 'their age counts from their time')
  // So does a dead replay that is replayed: nobody made its batch.
  const { data } = await app.db.collection<{ _id: string }>('jobs.runs').findOne({ _id: started.body.id }) as
    unknown as { data: never }
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, replayEvents, data, { workspaceId: ann.workspaceId }))
  await until('again, in a batch of its own', async () => (await batch(id)).counts?.done === 6)
  t.equal(heard.length, 15)
})

t.test('P25: what older code emitted reaches a new subscriber once', async (t) => {
  heard.length = 0
  // Older code knows neither of two subscribers: it writes the event and the run of the third.
  const events = app.db.collection<{ _id: string, subscribers: string[] }>('jobs.events')
  const ids = [await emit(11), await emit(12)]
  await until('heard', () => heard.length === 5)
  await events.updateMany({ _id: { $in: ids } }, { $set: { subscribers: [pay.name] } })
  const names = [hear.name, hearEven.name]
  await app.db.collection('jobs.runs').deleteMany({ name: { $in: names }, 'cause.id': { $in: ids } })
  heard.length = 0
  const floor = idFloor(app.clock.now())
  await Promise.all([app.subscriberDuty.mend(), worker.subscriberDuty.mend(), app.subscriberDuty.mend()])
  await until('made up for', () => heard.length === 3)
  await app.subscriberDuty.mend()
  t.same(heard.map(({ by, n }) => `${by} ${n}`).toSorted(),
    [`${hearEven.name} 12`, `${hear.name} 11`, `${hear.name} 12`].toSorted())
  const madeUp = { name: { $in: names }, 'cause.id': { $in: ids }, _id: { $gte: floor } }
  t.equal(await place.count('jobs.runs', madeUp), 3, 'a cancel that was before does not mean them')
  // From before the subscriber was there: no.
  const before = await emit(13)
  await until('heard 13', () => heard.length === 5)
  const early = { subscribers: [], at: new Date(app.clock.ms() - 3_600_000) }
  await events.updateOne({ _id: before }, { $set: early as object })
  t.equal(await app.subscriberDuty.mend(), 0)
})
