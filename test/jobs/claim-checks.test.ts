// Data that is too big for a run: stored, referred to, read back as it was, and swept when its time is over.
import t from 'tap'
import { Type } from 'typebox'
import { createClaimCheckRepository, createClaimChecks } from '../../src/jobs/index.ts'
import { ClaimCheckSchema, StorageError, defineJob, type Storage } from '../../src/kernel/index.ts'
import { stage, until } from './stage.ts'

const Rows = Type.Array(Type.Object({ n: Type.Integer(), text: Type.String() }, { additionalProperties: false }))
const importRows = defineJob({
  name: 'test.import-rows',
  queue: 'fast',
  data: Type.Object({ rows: ClaimCheckSchema }, { additionalProperties: false })
})
const rows = Array.from({ length: 2000 }, (_, n) => ({ n, text: 'x'.repeat(50) }))
const seen: unknown[] = []

const place = await stage(t, { jobs: [importRows] }, (worker) => {
  worker.handleJob(importRows, async ({ run }) => { seen.push(await worker.claimChecks.read(Rows, run.data.rows)) })
})
const { app, ann } = place
const add = async (data: { rows: Awaited<ReturnType<typeof app.claimChecks.put>> }): Promise<string> =>
  await app.tx(async (session) => (await app.jobs.add(session, importRows, data, { workspaceId: ann.workspaceId })).id)
const stateOf = async (id: string) => await app.db.collection<{ _id: string, state: string, attempts: object[] }>(
  'jobs.runs').findOne({ _id: id })

t.test('a big payload goes round by the storage', async (t) => {
  const check = await app.claimChecks.put(rows)
  t.ok(check.bytes > 100_000)
  const id = await add({ rows: check })
  await until('done', async () => (await stateOf(id))?.state === 'done')
  t.same(seen, [rows])
  await t.rejects(app.claimChecks.put('x'.repeat(17 * 1024 * 1024)), {
    code: 'jobs.data_too_large', message: /at most 16 MiB/
  })
  await t.rejects(app.claimChecks.read(Type.Object({ other: Type.String() }), check), { code: 'jobs.schema_mismatch' })
})

t.test('what was changed is refused for good, what is not there is tried again', async (t) => {
  const check = await app.claimChecks.put(rows)
  const other = await app.claimChecks.put([...rows, { n: 1, text: 'more' }])
  const changed = await add({ rows: { ...check, key: other.key } })
  await until('dead', async () => (await stateOf(changed))?.state === 'dead')
  t.match(await app.db.collection('jobs.letters').findOne({ runId: changed }), {
    class: 'contract', code: 'jobs.schema_mismatch'
  })
  const lost = await add({ rows: { ...check, key: 'checks/0190b7a0-0000-7000-8000-000000000000' } })
  await until('tried', async () => (await stateOf(lost))?.attempts.length === 1)
  t.match(await stateOf(lost), { state: 'pending', attempts: [{ class: 'transient', code: 'storage.bytes_lost' }] })
})

t.test('a storage that is away costs a try; what is over is swept, and nothing else', async (t) => {
  const repository = createClaimCheckRepository(app.db)
  const away = createClaimChecks({ rows: repository, storage: () => unreachable, clock: app.clock })
  await t.rejects(away.put(rows), { code: 'storage.bytes_lost' })
  const old = await app.claimChecks.put(rows, { keepDays: 0 })
  const kept = await app.claimChecks.put(rows)
  const service = createClaimChecks({ rows: repository, storage: () => app.storage, clock: app.clock })
  t.equal(await service.sweep(new AbortController().signal), 1)
  t.equal(await app.storage.head(old.key), null)
  t.ok(await app.storage.head(kept.key))
  t.equal(await service.sweep(new AbortController().signal), 0)
})

const gone = async (): Promise<never> => { throw StorageError.bytes_lost() }
const unreachable: Storage = { put: gone, get: gone, head: gone, delete: gone }
