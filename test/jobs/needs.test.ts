// Runs that need each other: needs, workflows, batches.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { orderNodes } from '../../src/jobs/index.ts'
import { defineErrors, defineJob, workflowNode, type Actor, type NeedFailure } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

const Step = Type.Object({
  name: Type.String({ maxLength: 40 }), how: Type.Optional(Type.String({ maxLength: 20 }))
}, { additionalProperties: false })
const step = defineJob({ name: 'test.take-step', queue: 'fast', data: Step })
const commit = defineJob({ name: 'test.commit-step', queue: 'fast', data: Step })
const callback = defineJob({ name: 'test.call-back', queue: 'fast', data: Step })
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })

const seen: string[] = []
const looked: unknown[] = []
const gates = new Map<string, PromiseWithResolvers<void>>()
function gate (name: string): PromiseWithResolvers<void> {
  const one = gates.get(name) ?? Promise.withResolvers<void>()
  gates.set(name, one)
  return one
}

function bind (app: FastifyInstance): void {
  app.handleJob(step, async ({ run }) => {
    const { name, how } = run.data
    if (how === 'wait') await gate(name).promise
    if (how === 'look') looked.push(run.needs)
    if (how === 'die') throw TestError.wrong()
    seen.push(name)
  })
  app.handleJob(commit, async (ctx) => {
    if (ctx.run.data.how === 'wait') await gate(ctx.run.data.name).promise
    await ctx.commit(async () => { seen.push(ctx.run.data.name) })
  })
  app.handleJob(callback, async ({ run: { data: { name } } }) => { seen.push(name) })
}

interface Row {
  _id: string, state: string, batchId?: string, error?: { code: string }, isNeeded?: boolean, workflowId?: string
}
const place = newPlace()
const app = await rig({ place, declared: { jobs: [step, commit, callback] }, bind })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})
const runs = app.db.collection<Row>('jobs.runs')
const workspaceId = 'w1'
const actor = { id: 'u1', workspaceId, can: () => false } as unknown as Actor
const quiet = async () => await until('quiet', async () =>
  await runs.countDocuments({ state: 'blocked' }) === 0 && await app.runs.isQuiet(), 40_000)

async function add (
  name: string, more: { how?: string, needs?: string[], onNeedFailure?: NeedFailure, job?: typeof step } = {}
): Promise<string> {
  const { how, job = step, ...options } = more
  const data = { name, ...(how === undefined ? {} : { how }) }
  const { id } = await app.tx(async (session) => await app.jobs.add(session, job, data, { workspaceId, ...options }))
  return id
}
const stateOf = async (id: string): Promise<string | undefined> => (await runs.findOne({ _id: id }))?.state

t.test('a run starts when all that it needs is done, however that ends', async (t) => {
  const [a, b] = [await add('a', { how: 'wait' }), await add('b', { how: 'wait', job: commit })]
  await until('both run', async () => await runs.countDocuments({ state: 'running' }) === 2)
  // Their workers claimed them before anybody needed them.
  const c = await add('c', { needs: [a, b, a], onNeedFailure: 'fail' })
  const d = await add('d', { needs: [c], onNeedFailure: 'fail' })
  t.same([await stateOf(c), await stateOf(d)], ['blocked', 'blocked'])
  gate('a').resolve()
  await until('a is done', async () => await stateOf(a) === 'done')
  t.equal(await stateOf(c), 'blocked')
  gate('b').resolve()
  await quiet()
  t.same(seen.slice(-2), ['c', 'd'])
  const late = await add('late', { needs: [a, d], onNeedFailure: 'fail' })
  await until('what needs only the past goes at once', async () => await stateOf(late) === 'done')
  t.equal(await runs.countDocuments({ isNeeded: true }), 0)
})

t.test('a need that fails ends, skips or does not matter', async (t) => {
  const a = await add('dies', { how: 'die' })
  await until('dead', async () => await stateOf(a) === 'dead')
  const early = await add('early', { needs: [a], onNeedFailure: 'skip' })
  t.equal(await stateOf(early), 'skipped')
  const b = await add('waits', { how: 'wait' })
  const dying = await add('dying', { needs: [b], how: 'die', onNeedFailure: 'continue' })
  const failed = await add('failed', { needs: [dying], onNeedFailure: 'fail' })
  const after = await add('after', { needs: [failed], onNeedFailure: 'fail' })
  const skipped = await add('skipped', { needs: [dying], onNeedFailure: 'skip' })
  const carried = await add('carried on', { needs: [failed, skipped], onNeedFailure: 'continue', how: 'look' })
  t.match(await app.runControl.get(actor, carried), {
    state: 'blocked', waiting: 2, needs: [{ id: failed, state: 'blocked' }, { id: skipped, state: 'blocked' }]
  })
  gate('waits').resolve()
  await quiet()
  t.same(await Promise.all([dying, failed, after, skipped, carried].map(stateOf)),
    ['dead', 'dead', 'dead', 'skipped', 'done'])
  const ends = [{ id: failed, name: step.name, state: 'dead' }, { id: skipped, name: step.name, state: 'skipped' }]
  t.same(looked, [ends], 'its handler sees it')
  const shown = await app.runControl.get(actor, carried)
  t.match(shown, { waiting: 0, needs: [{ id: failed, state: 'dead' }, { id: skipped, state: 'skipped' }] })
  t.notOk('needs' in await app.runControl.get(actor, a), 'who needs nothing says nothing')
  t.match(await runs.findOne({ _id: after }), { error: { code: 'jobs.need_failed' } })
  const letters = app.db.collection<{ _id: string, runId: string, needers: string[] }>('jobs.letters')
  t.equal(await letters.countDocuments({ runId: { $in: [failed, after] } }), 0, 'no letter of their own')
  const letter = await letters.findOne({ runId: dying })
  t.same(letter?.needers.toSorted(), [failed, after, skipped].toSorted())
  t.same((await app.letters.get(actor, letter?._id ?? '')).needers, letter?.needers)
})

t.test('what ends outside of a worker is found', async () => {
  const b = await add('cancelled', { how: 'wait', needs: [await add('first', { how: 'wait' })], onNeedFailure: 'fail' })
  const c = await add('last', { needs: [b], onNeedFailure: 'skip' })
  await runs.updateOne({ _id: b }, { $set: { state: 'cancelled' } })
  await until('skipped', async () => await stateOf(c) === 'skipped')
  gate('first').resolve()
  await quiet()
})

t.test('what cannot be needed is refused', async (t) => {
  await t.rejects(add('x', { needs: ['no such run'], onNeedFailure: 'fail' }), { code: 'jobs.schema_mismatch' })
  await t.rejects(add('x', { needs: [await add('y')] }), { code: 'jobs.schema_mismatch' })
  t.same(orderNodes({ c: ['a', 'b'], b: ['a'], a: [] }), ['a', 'b', 'c'])
  t.throws(() => orderNodes({ a: ['c'], b: ['a'], c: ['b'], d: ['a'], e: [] }), {
    code: 'jobs.cycle_in_workflow', details: { nodes: ['a', 'c', 'b'] }
  })
  t.throws(() => orderNodes({ a: ['a'] }), { code: 'jobs.cycle_in_workflow' })
  t.throws(() => orderNodes({ a: ['b'] }), { code: 'jobs.schema_mismatch' })
  const names = Array.from({ length: 1001 }, (_, i) => [`n${i}`, []])
  t.throws(() => orderNodes(Object.fromEntries(names)), { code: 'jobs.schema_mismatch' })
})

t.test('a workflow or a batch with a job that nobody declared is refused, and so is a page of too many', async (t) => {
  const unknown = defineJob({ name: 'test.not-declared', queue: 'fast', data: Step })
  const data = { name: 'x' }
  await t.rejects(app.tx(async (session) => await app.jobs.addWorkflow(session, {
    workspaceId, nodes: { one: workflowNode(unknown, data) }
  })), { code: 'jobs.unknown_job' })
  for (const kind of ['onComplete', 'onSuccess', 'onDeath']) {
    await t.rejects(app.tx(async (session) => await app.batches.open(session, {
      name: 'test.refused', workspaceId, [kind]: { job: unknown, data }
    })), { code: 'jobs.unknown_job' }, kind)
  }
  t.equal(await app.db.collection('jobs.batches').countDocuments({ name: 'test.refused' }), 0)
  const id = await app.tx(async (session) => await app.batches.open(session, { name: 'test.wide', workspaceId }))
  const page = async (count: number) => await app.tx(async (session) =>
    await app.batches.addPage(session, id, 0, step, Array.from({ length: count }, () => ({ data }))))
  await t.rejects(page(501), { code: 'jobs.schema_mismatch' })
  t.equal(await runs.countDocuments({ batchId: id }), 0)
  t.match(await page(500), { pages: 1, isNew: true })
  await quiet()
})

t.test('a workflow of a thousand runs is one insert, and each goes after its needs', async (t) => {
  seen.length = 0
  const row = 50
  const needsOf = (i: number): string[] => [`n${i - row}`, `n${i - row + (i % row === 0 ? 0 : -1)}`]
  const nodes = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [
    `n${i}`,
    workflowNode(step, { name: `n${i}` }, i < row ? {} : { needs: needsOf(i), onNeedFailure: 'fail' })
  ]))
  const { id, runs: added } = await app.tx(async (session) =>
    await app.jobs.addWorkflow(session, { nodes, workspaceId }))
  t.equal(Object.keys(added).length, 1000)
  t.equal(await runs.countDocuments({ workflowId: id }), 1000)
  const sinceMs = performance.now()
  await quiet()
  t.comment(`${seen.length} starts in ${Math.round(performance.now() - sinceMs)} ms`)
  t.equal(seen.filter((name) => name.startsWith('n')).length, 1000)
  const at = new Map(seen.map((name, i) => [name, i]))
  const early = Object.entries(nodes).filter(([name, { needs = [] }]) =>
    needs.some((need) => (at.get(need) ?? Infinity) > (at.get(name) ?? -1)))
  t.same(early, [])
  const shown = await app.batchControl.workflow(actor, id)
  t.same(shown.counts, { done: 1000 })
  t.match(shown.nodes.find(({ node }) => node === 'n51'), { needs: ['n1', 'n0'], state: 'done' })
  await t.rejects(app.batchControl.workflow({ ...actor, workspaceId: 'w2' } as Actor, id), {
    code: 'jobs.workflow_not_found'
  })
  const circle = {
    a: workflowNode(step, { name: 'a' }, { needs: ['b'], onNeedFailure: 'fail' }),
    b: workflowNode(step, { name: 'b' }, { needs: ['a'], onNeedFailure: 'fail' })
  }
  await t.rejects(app.tx(async (session) =>
    await app.jobs.addWorkflow(session, { nodes: circle, workspaceId })), { code: 'jobs.cycle_in_workflow' })
})

async function openBatch (name: string): Promise<string> {
  const call = (kind: string) => ({ job: callback, data: { name: `${name} ${kind}` } })
  return await app.tx(async (session) => await app.batches.open(session, {
    name, workspaceId, onComplete: call('complete'), onSuccess: call('success'), onDeath: call('death')
  }))
}
const page = async (batchId: string, nth: number, items: Array<{ name: string, how?: string }>) =>
  await app.tx(async (session) =>
    await app.batches.addPage(session, batchId, nth, step, items.map((data) => ({ data }))))
const complete = async (id: string) => await until('complete', async () =>
  (await app.batchControl.get(actor, id)).state === 'complete')

t.test('a batch calls back once: when all have ended, when all are done, when the first is dead', async (t) => {
  const [good, bad] = [await openBatch('good'), await openBatch('bad')]
  t.match(await page(good, 0, [{ name: 'g1' }, { name: 'g2' }]), { pages: 1, isNew: true })
  t.match(await page(good, 0, [{ name: 'g1' }]), { pages: 1, isNew: false }, 'a page enters once')
  await t.rejects(page(good, 2, [{ name: 'g3' }]), { code: 'jobs.batch_sealed' })
  await page(bad, 0, [{ name: 'b1', how: 'die' }, { name: 'b2', how: 'wait' }])
  await until('death is told while others run', () => seen.includes('bad death'))
  t.notOk(seen.includes('good complete'), 'not before it is sealed')
  await app.tx(async (session) => {
    await app.batches.seal(session, good)
    await app.batches.seal(session, bad)
  })
  await t.rejects(page(good, 1, [{ name: 'g3' }]), { code: 'jobs.batch_sealed' })
  await complete(good)
  gate('b2').resolve()
  await complete(bad)
  await quiet()
  const calls = seen.filter((name) => name.startsWith('good ') || name.startsWith('bad '))
  t.same(calls.toSorted(), ['bad complete', 'bad death', 'good complete', 'good success'])
  t.match(await app.batchControl.get(actor, bad), { counts: { done: 1, dead: 1 }, stuck: 0, pages: 1 })
  // Done runs leave the store after a week, and nobody need have looked before.
  await runs.deleteMany({ batchId: bad, state: 'done' })
  t.match(await app.batchControl.cancel(actor, bad, 'it is over'), { state: 'complete', counts: { done: 1, dead: 1 } })
  t.match(await app.batchControl.get(actor, bad), { counts: { done: 1, dead: 1 } })
  t.equal(await app.db.collection('jobs.events').countDocuments({ type: 'jobs.batch.completed' }), 2)
  await t.rejects(app.tx(async (session) =>
    await app.jobs.add(session, step, { name: 'x' }, { workspaceId, batchId: good })), { code: 'jobs.batch_sealed' })
  const stranger = { ...actor, workspaceId: 'w2' } as Actor
  await t.rejects(app.batchControl.get(stranger, good), { code: 'jobs.batch_not_found' })
})

t.test('a batch is cancelled, and what is stuck in it is loosened', async (t) => {
  const id = await openBatch('stuck')
  await page(id, 0, [{ name: 's1', how: 'wait' }])
  const gone = await add('gone', { how: 'wait' })
  await app.tx(async (session) => await app.jobs.add(session, step, { name: 's2' }, {
    workspaceId, batchId: id, needs: [gone], onNeedFailure: 'skip'
  }))
  await until('it runs', async () => await stateOf(gone) === 'running')
  await runs.deleteOne({ _id: gone })
  gate('gone').resolve()
  t.match(await app.batchControl.get(actor, id), { stuck: 1 })
  const loosened = await app.batchControl.unstick(actor, id)
  t.match(loosened, { stuck: 0, counts: { skipped: 1 } })
  await app.tx(async (session) => await app.jobs.add(session, step, { name: 's3' }, {
    workspaceId, batchId: id, runAt: new Date(app.clock.ms() + 3_600_000)
  }))
  const cancelled = await app.batchControl.cancel(actor, id, 'nobody wants it')
  t.match(cancelled, { isSealed: true, counts: { cancelled: 1 } })
  gate('s1').resolve()
  await complete(id)
  await quiet()
  t.notOk(seen.includes('stuck success'))
  t.ok(seen.includes('stuck complete'))
})
