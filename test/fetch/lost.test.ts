// Downloads whose run ended without them: they end too, and stand in nobody's way.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sweepParts, type DownloadRow } from '../../src/fetch/index.ts'
import { build, drain, quickSignIn } from '../helper.ts'
import { until } from '../jobs/rig.ts'
import { dial } from '../live/client.ts'
import { startWeb } from '../stand-ins/web.ts'

const web = await startWeb()
t.teardown(async () => { await web.close() })
const scratch = t.testdir()
const app = await build(t, { role: 'both', config: { FETCH_ALLOW: web.host, SCRATCH_DIR: scratch } })
const ann = await quickSignIn(app, { roles: ['owner', 'operator'] })
const rows = app.db.collection<DownloadRow>('fetch.downloads')
const runs = app.db.collection<{ _id: string, name: string, state: string, result?: unknown }>('jobs.runs')
const released: string[] = []
app.worker.downloads.keepQuota({
  reserve: async () => true, release: async ({ downloadId }) => { released.push(downloadId) }
})
const live = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws') + '/live'

async function post (url: string, payload: object) {
  const answer = await app.inject({ method: 'POST', url: `/v1${url}`, payload, headers: ann.headers })
  return { status: answer.statusCode, body: answer.json() }
}

async function start (path: string): Promise<string> {
  return (await post('/fetch/downloads', { url: web.origin + path, purpose: 'other' })).body.id
}

/** What whoever watches the download hears last. */
async function watch (id: string, states: readonly string[]) {
  const client = await dial(t, live)
  const channel = `fetch.download:${id}`
  await client.ask({ t: 'connect', v: 1, token: ann.accessToken, session: id, subs: { [channel]: {} } })
  return async () => {
    const heard = await client.next(({ d }) => states.includes(d?.state), 10_000)
    await client.close()
    return heard['d']
  }
}

async function sweep (): Promise<unknown> {
  const { id } = await app.tx(async (session) => await app.jobs.add(session, sweepParts, {}, { workspaceId: '' }))
  await until('the sweep ends', async () => (await runs.findOne({ _id: id }))?.state === 'done')
  return (await runs.findOne({ _id: id }))?.result
}

async function told (id: string): Promise<unknown[]> {
  const events = app.db.collection('jobs.events').find({ type: 'fetch.download.failed', 'subject.id': id })
  return (await events.toArray()).map(({ data }) => data.code)
}

t.test('an operator cancels the run of one that is on its way', async (t) => {
  web.file('/slow', randomBytes(3_000_000), { bytesPerSecond: 500_000 })
  const id = await start('/slow')
  const last = await watch(id, ['cancelled', 'failed'])
  await until('bytes come', async () => ((await rows.findOne({ _id: id }))?.bytes ?? 0) > 0)
  t.same(readdirSync(join(scratch, 'parts')), [`${id}.0`])
  const { runId } = await rows.findOne({ _id: id }) as DownloadRow
  t.match(await post(`/jobs/runs/${runId}/cancel`, { reason: 'a test' }), { status: 200 })
  await until('the run ends', async () => (await runs.findOne({ _id: String(runId) }))?.state === 'cancelled')
  t.match(await sweep(), { ended: 1 })
  const ended = { state: 'cancelled', errorCode: 'fetch.run_cancelled', isActive: false, claim: null, rate: null }
  t.match(await rows.findOne({ _id: id }), { ...ended, expireAt: Date })
  t.match(await last(), { state: 'cancelled', errorCode: 'fetch.run_cancelled' })
  t.same(await told(id), ['fetch.run_cancelled'])
  t.same(readdirSync(join(scratch, 'parts')), [], 'no part is left')
  t.same(released, [id])
  t.match(await sweep(), { ended: 0 }, 'once')

  web.file('/slow', randomBytes(1000))
  const anew = await start('/slow')
  t.not(anew, id)
  await drain(app)
  t.match(await rows.findOne({ _id: anew }), { state: 'done' })
})

t.test('a run ends before its first start: by an operator, or forgotten by the store', async (t) => {
  web.file('/waits', randomBytes(1000))
  web.file('/paused', randomBytes(1000))
  await post('/jobs/queues/download/pause', { reason: 'a test' })
  const [cancelled, paused] = [await start('/waits'), await start('/paused')]
  t.match(await sweep(), { ended: 0 }, 'what waits is carried yet')
  t.match(await post(`/fetch/downloads/${paused}/pause`, {}), { status: 200 })
  const filter = { name: 'fetch.download-file' }
  t.match(await post('/jobs/runs/cancel', { filter, reason: 'a test' }), { body: { cancelled: 2 } })
  t.match(await sweep(), { ended: 1 })
  t.match(await rows.findOne({ _id: cancelled }), { state: 'cancelled', isActive: false })
  t.match(await rows.findOne({ _id: paused }), { state: 'paused', isActive: true }, 'who resumes it adds a run')
  t.match(await post(`/fetch/downloads/${paused}/resume`, {}), { status: 200 })
  t.match(await sweep(), { ended: 0 })
  const forgotten = await start('/waits')
  t.not(forgotten, cancelled)
  await runs.deleteOne({ name: 'fetch.download-file', 'data.downloadId': forgotten } as object)
  t.match(await sweep(), { ended: 1 })
  t.match(await rows.findOne({ _id: forgotten }), { state: 'failed', errorCode: 'fetch.run_ended', isActive: false })
  t.same(await told(forgotten), ['fetch.run_ended'])
  await post('/jobs/queues/download/resume', {})
  await until('the other ends', async () => (await rows.findOne({ _id: paused }))?.state === 'done')
})

t.test('a run that meets an unknown error twice takes its download along', async (t) => {
  const { storage } = app.worker
  const { put } = storage
  storage.put = async () => { throw new Error('nobody knows this') }
  t.teardown(() => { storage.put = put })
  web.file('/odd', randomBytes(1000))
  const id = await start('/odd')
  const last = await watch(id, ['failed'])
  await until('the run dies', async () => {
    const { runId } = await rows.findOne({ _id: id }) as DownloadRow
    return (await runs.findOne({ _id: String(runId) }))?.state === 'dead'
  }, 30_000)
  await drain(app)
  t.match(await rows.findOne({ _id: id }), { state: 'failed', errorCode: 'fetch.run_ended', isActive: false })
  t.match(await last(), { state: 'failed', errorCode: 'fetch.run_ended' })
  t.same(await told(id), ['fetch.run_ended'])
  t.same(readdirSync(join(scratch, 'parts')), [], 'no part is left')
  t.equal(released.at(-1), id)
  storage.put = put
  const anew = await start('/odd')
  t.not(anew, id)
  await drain(app)
  t.match(await rows.findOne({ _id: anew }), { state: 'done' })
  t.equal((await rows.findOne({ _id: id }))?.state, 'failed')
})
