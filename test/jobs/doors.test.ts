// What its owner sees and ends over HTTP; what is refused there; and a backup that outlives the store's memory.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { Type } from 'typebox'
import { findStores } from '../../bin/services.ts'
import { launch } from '../../bin/services/store.ts'
import { createFolderStore, createDumpRepository } from '../../src/jobs/index.ts'
import { writeBackup } from '../../src/jobs/backup/writer.ts'
import { actorRef, defineJob, defineReport, uuidv7, withContext, workflowNode } from '../../src/kernel/index.ts'
import { quickSignIn } from '../helper.ts'
import { stage, until } from './stage.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const step = defineJob({ name: 'test.take-step', queue: 'fast', data: Numbered })
const obey = defineJob({ name: 'test.obey-signal', queue: 'fast', data: Numbered })
const sheet = defineReport({
  name: 'test.sheet', title: 'A sheet', period: 'day', columns: [{ key: 'n' }], async * rows () { yield { n: 1 } }
})
const nowhere = '0190b7a0-0000-7000-8000-000000000000'
const place = await stage(t, { jobs: [step, obey], reports: [sheet] }, (worker) => {
  worker.handleJob(step, async () => {})
  worker.handleJob(obey, async ({ signal }) => { await sleep(60_000, undefined, { signal }).catch(() => undefined) })
})
const { app, ann, bob, guest, operator, call, post } = place
const later = () => new Date(app.clock.ms() + 3_600_000)

t.test('a batch and a workflow, as their owner sees them over HTTP', async (t) => {
  const { workspaceId } = ann
  const batchId = await app.tx(async (session) => await app.batches.open(session, { name: 'test.walk', workspaceId }))
  await app.tx(async (session) => {
    await app.batches.addPage(
      session, batchId, 0, step, [{ data: { n: 1 } }, { data: { n: 2 }, options: { runAt: later() } }])
  })
  await until('one is done', async () => (await call(`/batches/${batchId}`)).body.counts.done === 1)
  t.match((await call(`/batches/${batchId}`)).body, { id: batchId, isSealed: false, counts: { done: 1, pending: 1 } })
  t.match(await call(`/batches/${batchId}`, { as: bob }), { status: 404, body: { code: 'jobs.batch_not_found' } })
  t.match(await call(`/batches/${batchId}`, { as: guest }), { status: 403 })
  t.match(await post(`/batches/${batchId}/unstick`, {}), { status: 200, body: { stuck: 0 } })
  t.match(await post(`/batches/${batchId}/cancel`, {}), { status: 400 }, 'a reason is asked for')
  t.match(await post(`/batches/${batchId}/cancel`, { reason: 'enough' }), { status: 200, body: { isSealed: true } })
  t.match((await call(`/batches/${batchId}`)).body, { counts: { cancelled: 1, done: 1 } })

  const { id } = await app.tx(async (session) => await app.jobs.addWorkflow(session, {
    workspaceId,
    nodes: {
      first: workflowNode(step, { n: 1 }),
      second: workflowNode(step, { n: 2 }, { needs: ['first'], onNeedFailure: 'skip' })
    }
  }))
  await until('both are done', async () => {
    const { body } = await call(`/workflows/${id}`)
    return body.nodes.every(({ state }: { state: string }) => state === 'done')
  })
  t.equal((await call(`/workflows/${id}`)).body.nodes.length, 2)
  t.match(await call(`/workflows/${nowhere}`), { status: 404, body: { code: 'jobs.workflow_not_found' } })
  t.match(await post('/reports/test.nothing/runs', { period: '2026-03-01' }), {
    status: 404, body: { code: 'jobs.report_not_found' }
  })
})

t.test('whoever started a long task ends it, again without harm; nobody else does', async (t) => {
  const member = await quickSignIn(app, { workspaceId: ann.workspaceId, roles: ['member'] })
  const other = await quickSignIn(app, { workspaceId: ann.workspaceId, roles: ['member'] })
  const run = async (id: string) => (await call(`/runs/${id}`)).body as { state: string }
  const begin = async (job: typeof step, runAt?: Date): Promise<string> => {
    const context = { cause: { kind: 'request' as const, id: 'r1' }, actor: actorRef(member.actor) }
    const options = { workspaceId: ann.workspaceId, ...(runAt === undefined ? {} : { runAt }) }
    return await withContext(context, async () =>
      (await app.tx(async (session) => await app.jobs.add(session, job, { n: 1 }, options))).id)
  }
  const end = async (id: string, as: Pick<typeof ann, 'headers'> = member) => {
    const answer = await app.inject({ method: 'POST', url: `/v1/operations/${id}/cancel`, headers: as.headers })
    return { status: answer.statusCode, body: answer.json() }
  }
  const id = await begin(step, later())
  for (const [as, status, code] of [
    [other, 404, 'jobs.run_not_found'], [bob, 404, 'jobs.run_not_found'], [guest, 403, 'identity.permission_denied']
  ] as const) t.match(await end(id, as), { status, body: { code } })
  t.equal((await run(id)).state, 'pending')
  t.match(await Promise.all([end(id), end(id)]), [{ status: 200, body: { id, state: 'cancelled' } }, { status: 200 }])
  t.match(await end(id), { status: 200, body: { id, state: 'cancelled' } }, 'asked for again')
  t.match(await end(await begin(step, later()), ann), { status: 200 }, 'whoever may operate runs ends those too')

  const atWork = await begin(obey)
  await until('running', async () => (await run(atWork)).state === 'running')
  t.match(await end(atWork), { status: 200, body: { id: atWork } })
  await until('ended', async () => (await run(atWork)).state === 'cancelled')
  const done = await begin(step)
  await until('done', async () => (await run(done)).state === 'done')
  t.match(await end(done), { status: 409, body: { code: 'jobs.run_finished', state: 'done' } })
  t.match(await end(uuidv7()), { status: 404, body: { code: 'jobs.run_not_found' } })
})

t.test('work of the installation is an operation of its operators alone', async (t) => {
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, step, { n: 1 }, { workspaceId: '', runAt: later() }))
  const ask = async (as: Pick<typeof ann, 'headers'>, method: 'GET' | 'POST' = 'GET') => (await app.inject({
    method, url: `/v1/operations/${id}${method === 'GET' ? '' : '/cancel'}`, headers: as.headers
  })).statusCode
  t.same(await Promise.all([ask(operator), ask(ann), ask(ann, 'POST')]), [200, 404, 404])
  t.equal(await ask(operator, 'POST'), 200)
})

t.test('a workspace over its backlog is told over HTTP when to come again', async (t) => {
  await app.capacity.setShare(bob.workspaceId, { maxBacklog: 3 })
  const build = async (day: number) =>
    await post(`/reports/${sheet.name}/runs`, { period: `2026-03-0${day}` }, bob)
  await app.tx(async (session) => {
    for (const n of [1, 2, 3]) {
      await app.jobs.add(session, step, { n }, { workspaceId: bob.workspaceId, runAt: later() })
    }
  })
  const refused = await build(1)
  t.match(refused, { status: 429, body: { code: 'jobs.backlog_full', limit: 3 } })
  t.ok(refused.body.retryAfterMs > 0 && refused.body.retryAfterMs <= 10_000, `${refused.body.retryAfterMs} ms`)
  t.match(refused.headers['retry-after'], /^\d+$/)
  t.equal(await place.count('jobs.runs', { workspaceId: bob.workspaceId }), 3, 'nothing was stored')
  t.match(await post(`/reports/${sheet.name}/runs`, { period: '2026-03-01' }), { status: 202 }, 'others go on')
})

t.test('what is not there has a name', async (t) => {
  t.match(await post(`/backups/${nowhere}/prove`, {}, operator),
    { status: 409, body: { code: 'jobs.backup_key_missing' } })
  t.match(await call(`/reports/runs/${nowhere}`), { status: 404, body: { code: 'jobs.run_not_found' } })
  t.match(await call(`/dead-letters/${nowhere}`), { status: 404, body: { code: 'jobs.letter_not_found' } })
  await t.rejects(app.projections.start('test.none'), { code: 'jobs.projection_not_found' })
  t.match(await app.inject({ url: `/v1/fetch/downloads/${nowhere}`, headers: ann.headers }), { statusCode: 404 })
})

t.test('an instant that the store forgot meanwhile makes no half backup', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-window-'))
  const [store] = await findStores({ dir, persist: false, say: () => undefined })
  const mongod = await launch(store)
  const client = new MongoClient(store.url)
  t.teardown(async () => {
    await client.close()
    await mongod.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  await client.db('admin').command({ setParameter: 1, minSnapshotHistoryWindowInSeconds: 0 })
  const db = client.db('window')
  for (const name of ['a', 'b', 'c']) await db.collection(name).insertOne({ n: 1 })
  const target = createFolderStore(join(dir, 'target'))
  const parts: string[] = []
  const slow: typeof target = {
    ...target,
    async put (id, part, body) {
      parts.push(part)
      const bytes = await target.put(id, part, body)
      // The clock of the store moves on with what is written to it.
      for (let n = 0; parts.length === 1 && n < 30; n++) {
        await db.collection('others').insertOne({ n }, { writeConcern: { w: 'majority', j: true } })
        await sleep(100)
      }
      return bytes
    }
  }
  await t.rejects(writeBackup({
    dump: createDumpRepository(db), store: slow, key: randomBytes(32), codeVersion: '1'
  }, { id: 'one', startedAt: new Date(), signal: new AbortController().signal, onParts: async () => undefined }), {
    code: 'jobs.backup_window'
  })
  t.ok(parts.length > 0)
  t.notOk(parts.some((part) => part.includes('manifest')), 'without a manifest it is none')
})
