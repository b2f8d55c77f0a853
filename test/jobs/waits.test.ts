// Runs that wait for something: whatever becomes of it, none of them waits for ever.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineJob, type AddOptions } from '../../src/kernel/index.ts'
import { createHoldRepository, createPauseRepository } from '../../src/jobs/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

interface Row { _id: string, name: string, state: string, heldBy: string | null, starts: number, createdAt: Date }

const Aimed = Type.Object({ at: Type.String({ maxLength: 20 }) }, { additionalProperties: false })
const call = defineJob({ name: 'test.call-out', queue: 'webhook', data: Aimed, target: ({ at }) => at })
const write = defineJob({
  name: 'test.write-letter', queue: 'mail', data: Aimed, policy: { maxAgeMs: 60_000 }
})
const Tried = Type.Object({ who: Type.String({ maxLength: 20 }) }, { additionalProperties: false })
const tryOut = defineJob({ name: 'test.try-out', queue: 'webhook', data: Tried, target: () => 'ill' })
const declared = { jobs: [call, write, tryOut] }
const called: string[] = []
const tried: string[] = []

function bind (app: FastifyInstance): void {
  app.handleJob(call, async ({ run }) => { called.push(run.data.at) })
  app.handleJob(write, async ({ run }) => { called.push(run.data.at) })
  app.handleJob(tryOut, async ({ run }) => {
    tried.push(run.data.who)
    await sleep(300)
  })
}

const rows = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')

async function add (app: FastifyInstance, at: string, options: AddOptions = {}, job = call): Promise<string> {
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, job, { at }, { workspaceId: 'w1', ...options }))
  return id
}

const place = newPlace()
t.teardown(async () => { await dropPlace(place) })

t.test('a keeper that leads anew lets go of runs whose hold ended with the last one', async (t) => {
  const app = await rig({ place, groups: ['io'], declared, bind })
  t.teardown(async () => { await app.close() })
  const [freed, kept] = [await add(app, 'back'), await add(app, 'away')]
  // What the last keeper left: it had ended the hold, and was gone before its probe was answered.
  await rows(app).updateMany({ _id: { $in: [freed, kept] } }, { $set: { heldBy: 'target' } })
  await createHoldRepository(app.db).hold('away', new Date(app.clock.ms() + 600_000), true)
  const keeper = await rig({ place, groups: ['keeper'], declared, bind })
  t.teardown(async () => { await keeper.close() })
  await until('the freed one is done', async () => (await rows(app).findOne({ _id: freed }))?.state === 'done', 30_000)
  t.match(await rows(app).findOne({ _id: kept }), { state: 'pending', heldBy: 'target', starts: 0 })
  t.same(called, ['back'])
})

t.test('a target that may be well again is tried by who tried the least, and by nobody else', async (t) => {
  const app = await rig({ place, role: 'server', declared })
  t.teardown(async () => { await app.close() })
  const endsAt = new Date(app.clock.ms() + 4000)
  const [tired = '', due = ''] = await Promise.all(['tired', 'due', 'fresh'].map(async (who) =>
    await app.tx(async (session) => (await app.jobs.add(session, tryOut, { who }, { workspaceId: 'w1' })).id)))
  const all = { name: tryOut.name }
  await rows(app).updateMany(all, { $set: { heldBy: 'target' } })
  await rows(app).updateOne({ _id: tired }, { $set: { attempt: 3 } })
  // Its own wait ends with the hold, and nothing else keeps it.
  await rows(app).updateOne({ _id: due }, { $set: { attempt: 2, heldBy: null, runAt: endsAt } })
  await createHoldRepository(app.db).hold('ill', endsAt, true)
  const worker = await rig({ place, groups: ['io', 'keeper'], declared, bind })
  t.teardown(async () => { await worker.close() })
  await until('one is tried', () => tried.length > 0)
  t.same(tried, ['fresh'])
  await until('all are done', async () => await rows(app).countDocuments({ ...all, state: 'done' }) === 3)
  t.equal(tried.length, 3)
})

t.test('a hold that its keeper wrote too late ends, whatever it is for', async (t) => {
  const app = await rig({ place, groups: ['io', 'keeper'], declared, bind })
  t.teardown(async () => { await app.close() })
  const reasons = ['no_worker', 'paused', 'retry_budget', 'serial', 'target']
  const runAt = new Date(app.clock.ms() + 3000)
  const ids = await Promise.all(reasons.map(async (reason) =>
    await add(app, `held by ${reason}`, { runAt, ...(reason === 'serial' ? { serial: 'of one' } : {}) })))
  await sleep(2000)
  for (const [i, _id] of ids.entries()) await rows(app).updateOne({ _id }, { $set: { heldBy: reasons[i] ?? null } })
  const done = { _id: { $in: ids }, state: 'done' }
  await until('all are done', async () => await rows(app).countDocuments(done) === ids.length, 30_000)
})

t.test('what waited longer than its job allows starts no more, and its letter says why', async (t) => {
  const app = await rig({ place, groups: ['io'], declared, bind })
  t.teardown(async () => { await app.close() })
  const [waited, failed] = [await add(app, 'waited', {}, write), await add(app, 'failed', {}, write)]
  const planned = await add(app, 'planned', { runAt: new Date(app.clock.ms() + 500) }, write)
  const createdAt = new Date(app.clock.ms() - 120_000)
  await rows(app).updateMany({ _id: { $in: [waited, failed, planned] } }, { $set: { createdAt } })
  const attempt = {
    fence: 1, startedAt: createdAt, endedAt: createdAt, outcome: 'again', class: 'throttled', code: 'busy',
    message: 'no'
  }
  await rows(app).updateOne({ _id: failed }, { $set: { attempts: [attempt] } })
  const keeper = await rig({ place, groups: ['keeper'], declared, bind })
  t.teardown(async () => { await keeper.close() })
  await until('all are over', async () =>
    await rows(app).countDocuments({ name: write.name, state: { $in: ['dead', 'done'] } }) === 3)
  const letterOf = async (runId: string) => await app.db.collection('jobs.letters').findOne({ runId })
  t.match(await letterOf(waited), { class: 'not_ready', code: 'too_old' })
  t.match(await letterOf(failed), { class: 'throttled', code: 'busy' })
  t.match(await rows(app).findOne({ _id: planned }), { state: 'done' }, 'its age begins when it was to start')
  t.notOk(called.includes('waited') || called.includes('failed'))
})

t.test('I6: what waits past its deadline ends expired, whatever holds it', async (t) => {
  const app = await rig({ place, groups: ['io'], declared, bind })
  t.teardown(async () => { await app.close() })
  const deadlineAt = new Date(app.clock.ms() + 1000)
  const later = new Date(app.clock.ms() + 600_000)
  await createHoldRepository(app.db).hold('shut', later, false)
  const need = await add(app, 'later', { runAt: later })
  const aimed = await add(app, 'shut', { deadlineAt })
  await createPauseRepository(app.db).pause(
    { _id: 'mail w1', queue: 'mail', workspaceId: 'w1', by: 'somebody', reason: '', at: app.clock.now() })
  const paused = await add(app, 'paused', { deadlineAt }, write)
  const blocked = await add(app, 'blocked', { deadlineAt, needs: [need], onNeedFailure: 'fail' })
  const needers = await Promise.all((['fail', 'skip', 'continue'] as const).map(async (onNeedFailure) =>
    await add(app, `${onNeedFailure}s`, { needs: [blocked], onNeedFailure })))
  const inTime = await add(app, 'shut', { deadlineAt: later })
  const keeper = await rig({ place, groups: ['keeper'], declared, bind })
  t.teardown(async () => { await keeper.close() })
  const statesOf = async (ids: readonly string[]) =>
    await Promise.all(ids.map(async (id) => (await rows(app).findOne({ _id: id }))?.state))
  const isOver = (state?: string): boolean => state !== 'pending' && state !== 'blocked'
  await until('they and those that need them are over', async () => called.includes('continues') &&
    (await statesOf([aimed, paused, blocked, ...needers])).every(isOver), 30_000)
  t.same(await statesOf([aimed, paused, blocked]), ['expired', 'expired', 'expired'])
  t.same(await statesOf(needers.slice(0, 2)), ['dead', 'skipped'])
  t.same(await statesOf([need, inTime]), ['pending', 'pending'])
  t.match(await rows(app).findOne({ _id: aimed }), { heldBy: null })
  t.same(called.filter((at) => at === 'shut' || at === 'paused' || at === 'blocked'), [])
  t.equal(await app.db.collection('jobs.letters').countDocuments({ runId: { $in: [aimed, paused, blocked] } }), 0)
})
