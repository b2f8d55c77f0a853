// What has no other test: batches and workflows over HTTP, and a backup that outlives the store's memory.
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
import { defineJob, workflowNode } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const step = defineJob({
  name: 'test.take-step', queue: 'fast', data: Type.Object({ n: Type.Integer() }, { additionalProperties: false })
})
const nowhere = '0190b7a0-0000-7000-8000-000000000000'

t.test('a batch and a workflow, as their owner sees them over HTTP', async (t) => {
  const { app, ann, bob, guest, call, post } = await stage(t, { jobs: [step] }, (worker) => {
    worker.handleJob(step, async () => {})
  })
  const { workspaceId } = ann
  const later = new Date(app.clock.ms() + 3_600_000)
  const batchId = await app.tx(async (session) => await app.batches.open(session, { name: 'test.walk', workspaceId }))
  await app.tx(async (session) => {
    await app.batches.addPage(
      session, batchId, 0, step, [{ data: { n: 1 } }, { data: { n: 2 }, options: { runAt: later } }])
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
