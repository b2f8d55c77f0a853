// What whoever watches a run hears of its end, whoever ended it.
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { Type } from 'typebox'
import { defineErrors, defineJob, uuidv7, type AddOptions } from '../../src/kernel/index.ts'
import { dial } from '../live/client.ts'
import { stage } from './stage.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const work = defineJob({ name: 'test.do-work', queue: 'fast', data: Numbered })
const die = defineJob({ name: 'test.die-of-it', queue: 'fast', data: Numbered })
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })

const place = await stage(t, { jobs: [work, die], errors: TestError }, (app) => {
  app.handleJob(work, async () => {})
  app.handleJob(die, async () => { throw TestError.wrong() })
})
const { app, ann, operator, post } = place
const { workspaceId } = ann
const later = () => new Date(app.clock.ms() + 3_600_000)
const ago = () => new Date(app.clock.ms() - 1000)

async function add (job: typeof work, options: AddOptions = {}): Promise<string> {
  return (await app.tx(async (session) => await app.jobs.add(session, job, { n: 1 }, { workspaceId, ...options }))).id
}

const url = await app.listen({ port: 0, host: '127.0.0.1' })
const client = await dial(t, `${url.replace('http', 'ws')}/live`)
await client.ask({ t: 'connect', v: 1, token: ann.accessToken, session: 'one' })

const isLike = (data: object, told: object): boolean => isDeepStrictEqual({ ...data, ...told }, data)

/** Watches a run from now on; waits until it is told so. */
async function watch (id: string): Promise<(told: object) => Promise<void>> {
  const ch = `jobs.run:${id}`
  await client.ask({ t: 'sub', ch })
  return async (told) => { await client.next((frame) => frame['ch'] === ch && isLike(frame['d'], told), 15_000) }
}

t.test('a run that is dead carries its code, and who needs it hears of it too', async () => {
  const first = await add(die, { runAt: later() })
  const failing = await add(work, { needs: [first], onNeedFailure: 'fail' })
  const skipping = await add(work, { needs: [first], onNeedFailure: 'skip' })
  const [hears, hearsFailed, hearsSkipped] = [await watch(first), await watch(failing), await watch(skipping)]
  await app.runControl.reorder(ann.actor, first, { runAt: ago().toISOString() })
  await hears({ state: 'failed', error: { class: 'permanent', code: 'test.wrong' } })
  await hearsFailed({ state: 'failed', error: { class: 'permanent', code: 'jobs.need_failed' } })
  await hearsSkipped({ state: 'cancelled' })
})

t.test('a run whose time is over, before its release', async () => {
  const id = await add(work, { runAt: new Date(app.clock.ms() + 4000), deadlineAt: new Date(app.clock.ms() + 3000) })
  const hears = await watch(id)
  await hears({ state: 'failed' })
})

t.test('what a cancel of many ends', async () => {
  const ids = [await add(work, { runAt: later() }), await add(work, { runAt: later() })]
  const heard = await Promise.all(ids.map(watch))
  await post('/runs/cancel', { filter: { name: work.name }, reason: 'a test' })
  for (const hears of heard) await hears({ state: 'cancelled' })
})

t.test('what the cancel of a batch ends', async () => {
  const batchId = await app.tx(async (session) => await app.batches.open(session, { name: 'test.walk', workspaceId }))
  const hears = await watch(await add(work, { batchId, runAt: later() }))
  await post(`/batches/${batchId}/cancel`, { reason: 'a test' })
  await hears({ state: 'cancelled' })
})

t.test('what a slot ends that does not wait for the one before', async (t) => {
  const schedule = { name: `t.${uuidv7()}`, job: work.name, data: { n: 1 }, spec: { cron: '0 3 1 1 *' } }
  const { body: { id } } = await post('/schedules', { ...schedule, overlap: 'cancel_other' }, operator)
  await post('/queues/fast/pause', { reason: 'a test' }, operator)
  const { body: { runId } } = await post(`/schedules/${id}/trigger`, {}, operator)
  await app.db.collection<{ _id: string }>('jobs.runs').updateOne({ _id: runId }, { $set: { workspaceId } })
  const hears = await watch(runId)
  t.match(await post(`/schedules/${id}/trigger`, {}, operator), { status: 200 })
  await hears({ state: 'cancelled' })
  await post('/queues/fast/resume', {}, operator)
})
