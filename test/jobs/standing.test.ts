// What stands in the timetable: backups that are proven, rows that go, reports, and projections built anew.
import {
  closeSync, existsSync, openSync, readFileSync, readSync, readdirSync, truncateSync, utimesSync, writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { Double, Long, ObjectId } from 'mongodb'
import {
  backUpDatabase, buildReport, clearRecords, createFolderStore, proveBackup, startDailyReports
} from '../../src/jobs/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { quickSignIn } from '../helper.ts'
import { until } from './rig.ts'
import { dropEnvironment, ended, move, newEnvironment, open, runJob, sheet } from './standing-stage.ts'

const environment = newEnvironment()
const app = await open(environment, { role: 'server' })
const worker = await open(environment)
t.teardown(async () => {
  await worker.close()
  await app.close()
  await dropEnvironment(environment)
})
const { db } = app
const ann = await quickSignIn(app)
const bob = await quickSignIn(app)
const operator = await quickSignIn(app, { roles: ['owner', 'operator'] })
const target = join(environment['BACKUP_STORE'] ?? '', environment['MONGO_DB'] ?? '')
const dayMs = 86_400_000

async function call (method: 'GET' | 'POST', url: string, as = operator, payload?: object) {
  const answer = await app.inject({
    method, url: `/v1/jobs${url}`, headers: as.headers, ...(payload === undefined ? {} : { payload })
  })
  return { status: answer.statusCode, text: answer.payload, body: answer.json.bind(answer), headers: answer.headers }
}

async function backUp (): Promise<string> {
  const { state, result } = await runJob(worker, backUpDatabase, {})
  t.equal(state, 'done')
  return String(result?.['backupId'])
}

async function prove (backupId: string | null): Promise<{ state: string, isProven: unknown }> {
  const { state, result } = await runJob(worker, proveBackup, { backupId })
  return { state, isProven: result?.['isProven'] }
}

t.test('exactly the old rows go, counted by rule; a dry run takes nothing; what is held stays', async (t) => {
  const old = new Date(Date.now() - 40 * dayMs)
  const notes = db.collection<{ _id: string }>('test.notes')
  await notes.insertMany(Array.from({ length: 3000 }, (_, i) => ({
    _id: `n${i}`, kind: i % 3 === 0 ? 'final' : 'draft', at: i % 2 === 0 ? old : new Date(),
    ...(i === 4 ? { legalHold: 'case 7' } : {})
  })))
  const papers = db.collection<{ _id: string }>('test.papers')
  await papers.insertMany(Array.from({ length: 120 }, (_, i) => ({ _id: `p${i}`, at: old, n: new Double(i) })))
  writeFileSync(join(environment['LOG_DIR'] ?? '', 'app.log.1'), 'old')
  utimesSync(join(environment['LOG_DIR'] ?? '', 'app.log.1'), old, old)
  const counts = (result: unknown) => new Map((result as { rules: Array<{ name: string, count: number }> }).rules
    .map(({ name, count }) => [name, count]))

  const dry = await runJob(worker, clearRecords, { isDryRun: true })
  t.equal(counts(dry.result).get('test.old-notes'), 999)
  t.equal(await notes.countDocuments(), 3000)
  const { state, result } = await runJob(worker, clearRecords, { isDryRun: false })
  t.equal(state, 'done')
  t.equal(counts(result).get('test.old-notes'), 999)
  t.equal(counts(result).get('test.old-papers'), 120)
  t.equal(await notes.countDocuments(), 2001)
  t.ok(await notes.findOne({ _id: 'n4' }), 'held for the law')
  t.notOk(existsSync(join(environment['LOG_DIR'] ?? '', 'app.log.1')))
  const parts = await db.collection<{ filename: string }>('media.objects.files').find({ filename: /^archive\// }).toArray()
  t.equal(parts.length, 3, 'a part for each page')
  const lines: string[] = []
  for (const { filename } of parts) {
    const pieces: Buffer[] = []
    for await (const piece of await app.storage.get(filename) ?? []) pieces.push(piece as Buffer)
    lines.push(...gunzipSync(Buffer.concat(pieces)).toString().trim().split('\n'))
  }
  t.equal(new Set(lines).size, 120, 'every row that went is in the archive')
  t.match(lines[0], /numberDouble/i, 'with its types')
})

t.test('a backup comes back byte for byte and is proven; what is damaged never is', async (t) => {
  await db.collection<{ _id: unknown, [field: string]: unknown }>('test.papers').insertMany([
    { _id: 'odd', 10: 1, 2: new Double(5), long: Long.fromNumber(3), when: new Date(0) },
    { _id: new ObjectId(), nested: { 9: ['x', null], 1: new Double(-0) } }
  ])
  await db.collection('social.points').insertMany(Array.from({ length: 20 }, (_, i) => ({
    at: new Date(Date.now() - i * 1000), meta: { a: i % 2 }, ...(i % 2 === 0 ? { x: 1, y: 2 } : { y: 2, x: 1 })
  })))
  const good = await backUp()
  t.same(await prove(null), { state: 'done', isProven: true })
  const { body } = await call('GET', '/backups')
  const [listed] = body().data
  t.match(listed, { id: good, state: 'proven', isStored: true, problem: null })
  t.ok(listed.rtoS >= 0 && listed.rpoS >= 0 && listed.documents > 2000)
  t.equal(await db.collection('jobs.events').countDocuments({ type: 'jobs.backup.proven' }), 1)

  const part = join(target, good, `${encodeURIComponent('test.notes')}.bson.gz.sealed`)
  const whole = readFileSync(part)
  t.notOk(whole.includes('draft'), 'nothing can be read')
  flip(part, 300)
  t.same(await prove(good), { state: 'done', isProven: false }, 'one byte')
  t.match((await call('GET', '/backups')).body().data[0], { state: 'failed', problem: { code: 'jobs.backup_damaged' } })
  writeFileSync(part, whole)
  t.same(await prove(good), { state: 'done', isProven: true }, 'mended')
  truncateSync(part, whole.length - 20)
  t.same(await prove(good), { state: 'done', isProven: false }, 'its last frame cut')
  writeFileSync(part, whole)
  t.equal(await db.collection('jobs.events').countDocuments({ type: 'jobs.backup.failed' }), 2)

  await db.collection<{ _id: string }>('test.notes').insertOne({ _id: 'bad', kind: 'bad' } as never)
  await backUp()
  t.same(await prove(null), { state: 'done', isProven: false }, 'an invariant is broken in it')
  await db.collection<{ _id: string }>('test.notes').deleteOne({ _id: 'bad' })
  const { databases } = await app.mongo.client.db('admin').admin().listDatabases({ nameOnly: true })
  t.same(databases.filter(({ name }) => name.startsWith(`${db.databaseName}_proof_`)), [], 'no scratch is left')
})

function flip (file: string, at: number): void {
  const handle = openSync(file, 'r+')
  const byte = Buffer.alloc(1)
  readSync(handle, byte, 0, 1, at)
  writeSync(handle, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  closeSync(handle)
}

t.test('a full target and a lost key fail with a word, and older backups stay', async (t) => {
  const before = readdirSync(target)
  const store = createFolderStore(join(target, 'none'))
  await t.rejects(store.put(before[0] ?? '', 'x', (async function * () {
    yield Buffer.alloc(10)
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  })() as never), { code: 'jobs.disk' })
  const keyless = await open({ ...environment, BACKUP_KEY: '' }, { role: 'server' })
  await t.rejects(keyless.backups.start(), { code: 'jobs.backup_key_missing', message: /set BACKUP_KEY/ })
  await keyless.close()
  t.same(readdirSync(target).filter((name) => name !== 'none'), before)
  t.throws(() => newEnvironmentConfig('short'), /BACKUP_KEY/)
})

function newEnvironmentConfig (key: string): void {
  loadConfig({ ...environment, BACKUP_KEY: key })
}

t.test('backups are for operators', async (t) => {
  t.equal((await call('GET', '/backups', ann)).status, 403)
  t.equal((await call('POST', '/backups', ann)).status, 403)
  const unknown = await call('POST', '/backups/0190b7a0-0000-7000-8000-000000000000/prove')
  t.match([unknown.status, unknown.body()], [404, { code: 'jobs.backup_not_found' }])
  const started = await call('POST', '/backups')
  t.equal(started.status, 202)
  t.equal(started.headers['location'], `/v1/operations/${started.body().id}`)
  t.equal((await ended(worker, started.body().id)).state, 'done')
})

t.test('a report is built once a period; again, another revision only where its rows differ', async (t) => {
  sheet.rows = [{ who: '=cmd()', n: 1 }, { who: 'Zoë, "b"', n: null }]
  const build = async () => {
    const answer = await call('POST', '/reports/test.sheet/runs', ann, { period: '2026-11-24' })
    t.equal(answer.status, 202)
    t.equal((await ended(worker, answer.body().id)).state, 'done')
    return (await call('GET', `/reports/runs/${answer.body().id}`, ann)).body()
  }
  const first = await build()
  t.match(first, { state: 'succeeded', revision: 1, rows: 2 })
  const [csv, ndjson] = await Promise.all(first.files.map(async ({ url }: { url: string }) =>
    (await app.inject({ url, headers: ann.headers })).payload))
  t.equal(csv, 'Who,n\r\n\'=cmd(),1\r\n"Zoë, ""b""",\r\n')
  t.equal(ndjson, '{"who":"=cmd()","n":1}\n{"who":"Zoë, \\"b\\"","n":null}\n')
  t.match(await build(), { revision: 1 }, 'the same rows')
  sheet.rows = [{ who: 'x', n: 2 }]
  t.match(await build(), { revision: 2, rows: 1 })
  t.equal(await db.collection('jobs.events').countDocuments({ type: 'jobs.report.ready' }), 2)
  t.equal(await db.collection('media.objects.files').countDocuments({ filename: /^reports\// }), 4, 'two of each')
  const foreign = await app.inject({ url: first.files[0].url, headers: bob.headers })
  t.equal(foreign.statusCode, 404, 'a foreign one is missing')
  t.equal((await call('POST', '/reports/test.none/runs', ann, { period: '2026-11-24' })).status, 404)
  t.equal((await call('POST', '/reports/test.sheet/runs', ann, { period: '2026-11' })).status, 422)
  t.match((await call('GET', '/reports', ann)).body().data.find(({ name }: { name: string }) => name === 'test.sheet'),
    { newest: { revision: 2, files: [{ format: 'csv', bytes: 12 }, { format: 'ndjson' }] } })
})

t.test('past reports are listed page by page, and an operator sees those of all workspaces', async (t) => {
  const list = async (query: string, as = ann) => await call('GET', `/reports/test.sheet/runs${query}`, as)
  const first = (await list('?limit=1')).body()
  t.match(first.data, [{ workspaceId: ann.workspaceId, period: '2026-11-24', revision: 2, rows: 1 }])
  const second = (await list(`?limit=1&cursor=${encodeURIComponent(first.page.next)}`)).body()
  t.match(second, { data: [{ revision: 1, rows: 2 }], page: { hasMore: false } })
  t.equal((await list(`?cursor=${encodeURIComponent(first.page.next)}`, bob)).status, 400, 'of another list')
  t.same((await list('', bob)).body().data, [])
  t.same((await list(`?workspaceId=${ann.workspaceId}`, bob)).body().data, [])
  t.match((await list('', operator)).body().data, [{ revision: 2 }, { revision: 1 }])
  t.same((await list(`?workspaceId=${bob.workspaceId}`, operator)).body().data, [])
  const [{ id, files: [{ url }] }] = first.data
  t.match((await call('GET', `/reports/runs/${id}`, operator)).body(), { workspaceId: ann.workspaceId, revision: 2 })
  t.equal((await app.inject({ url, headers: operator.headers })).statusCode, 200)
  t.match((await call('GET', '/reports', operator)).body().data.find(({ name }: { name: string }) =>
    name === 'test.sheet'), { newest: { workspaceId: ann.workspaceId } })
  t.equal((await call('GET', '/reports/test.none/runs', ann)).status, 404)
})

t.test('every workspace gets the report of its day once, however often it is asked for', async (t) => {
  t.equal((await runJob(worker, startDailyReports, {})).state, 'done')
  const again = await runJob(worker, startDailyReports, {})
  t.same(again.result, { started: 0 })
  const keyed = { name: buildReport.name, key: /^daily:test\.sheet:/ }
  t.equal(await db.collection('jobs.runs').countDocuments(keyed), 3)
  await until('they are built', async () =>
    await db.collection('jobs.runs').countDocuments({ ...keyed, state: 'done' }) === 3)
})

t.test('a projection is the fold of the log, also while it is built anew under writes', async (t) => {
  const purses = ['a', 'b', 'c', 'd']
  const expected = new Map<string, { sum: number, moves: number }>()
  let errors = 0
  let isOver = false
  const reader = (async () => {
    while (!isOver) {
      try {
        await app.projections.list('test.purses', ann.workspaceId, { limit: 100 })
      } catch { errors++ }
    }
  })()
  async function play (from: number, to: number): Promise<void> {
    for (let version = from; version <= to; version++) {
      await Promise.all(purses.map(async (id, i) => {
        const n = (version * (i + 1)) % 7 - 3 || 1
        await move(worker, ann.workspaceId, id, version, n)
        const { sum, moves } = expected.get(id) ?? { sum: 0, moves: 0 }
        expected.set(id, { sum: sum + n, moves: moves + 1 })
      }))
    }
  }
  await play(1, 40)
  const id = await app.projections.start('test.purses')
  await play(41, 80)
  t.equal((await ended(worker, id)).state, 'done')
  await until('all is applied', async () =>
    await db.collection('jobs.runs').countDocuments({ name: /^test\.project/, state: { $ne: 'done' } }) === 0)
  isOver = true
  await reader
  const rows = await app.projections.list('test.purses', ann.workspaceId, { limit: 100 })
  t.same(Object.fromEntries(rows.map(({ subjectId, state }) => [subjectId, state])), Object.fromEntries(expected))
  t.equal(errors, 0, 'no reader met an error')
  t.same(await app.projections.find('test.purses', bob.workspaceId, 'a'), undefined)
  const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)
  t.same(names.filter((name) => name.includes('.shadow-')), [])
})

t.test('an event between the last page and the swap is in what is read afterwards', async (t) => {
  const before = await app.projections.find('test.purses', ann.workspaceId, 'a') as { sum: number, moves: number }
  let checkpoints = 0
  const commit = async (work: (session: never) => Promise<unknown>, progress?: unknown): Promise<unknown> => {
    // The second one without progress follows the last page.
    if (progress === undefined && ++checkpoints === 2) {
      await move(worker, ann.workspaceId, 'a', 81, 5)
      await until('it is applied', async () => await db.collection('jobs.runs')
        .countDocuments({ name: /^test\.project/, state: { $ne: 'done' } }) === 0)
    }
    return await worker.tx(work as never)
  }
  await worker.projections.rebuild({
    run: { id: uuidv7(), data: { name: 'test.purses', version: 1 } },
    signal: new AbortController().signal,
    checkpoint: commit,
    commit: async (work: never) => await worker.tx(work)
  } as never)
  t.same(await app.projections.find('test.purses', ann.workspaceId, 'a'),
    { sum: before.sum + 5, moves: before.moves + 1 })
})
