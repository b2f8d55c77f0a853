import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createSharedBucket, createSharedSlots } from '../../plugins/fetch/shared.ts'
import { filesPerHost, sweepParts } from '../../src/fetch/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { build, drain, signIn } from '../helper.ts'
import { dial } from '../live/client.ts'
import { startWeb } from '../stand-ins/web.ts'

const web = await startWeb()
t.teardown(async () => { await web.close() })
const scratch = t.testdir()
const app = await build(t, { role: 'both', config: { FETCH_ALLOW: web.host, SCRATCH_DIR: scratch } })
const ann = await signIn(app)
const bob = await signIn(app)
const guest = await signIn(app, { role: 'guest' })

interface Call {
  method?: 'GET' | 'POST'
  as?: { headers: { authorization: string } }
  payload?: object
  key?: string
}

async function call (url: string, { method = 'GET', as = ann, payload, key }: Call = {}) {
  const headers = { ...as.headers, ...(key === undefined ? {} : { 'idempotency-key': key }) }
  const answer = await app.inject({
    method, url: `/v1/fetch${url}`, headers, ...(payload === undefined ? {} : { payload })
  })
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
}

t.test('a person starts a download, sees it end, and nobody else does', async (t) => {
  web.file('/a', randomBytes(10_000))
  const payload = { url: `${web.origin}/a`, purpose: 'other', name: 'a.bin' }
  const started = await call('/downloads', { method: 'POST', payload })
  // A quick worker may have it before the answer is written.
  t.match(started, { status: 202, body: { state: /queued|probing|downloading/, name: 'a.bin', restarts: 0 } })
  t.equal(started.headers['location'], `/v1/fetch/downloads/${started.body.id}`)
  await drain(app)
  const path = `/downloads/${started.body.id}`
  const missing = { status: 404, body: { code: 'fetch.download_not_found' } }
  t.match(await call(path), { status: 200, body: { state: 'done', bytes: 10_000 } })
  t.match(await call(path, { as: bob }), missing)
  t.match(await call(`/downloads/${uuidv7()}`), missing)
  const ended = { status: 409, body: { code: 'fetch.download_ended' } }
  t.match(await call(`${path}/pause`, { method: 'POST' }), ended)
  t.match(await call('/downloads', { as: bob }), { status: 200, body: { data: [], page: { hasMore: false } } })
})

t.test('lists go on by their cursor, which is good for that list only', async (t) => {
  for (const path of ['/b', '/c']) {
    web.file(path, randomBytes(10))
    await call('/downloads', { method: 'POST', payload: { url: web.origin + path, purpose: 'other' } })
  }
  const first = await call('/downloads?limit=2')
  t.match(first.body, { data: [{ url: `${web.origin}/c` }, { url: `${web.origin}/b` }], page: { hasMore: true } })
  const second = await call(`/downloads?limit=2&cursor=${encodeURIComponent(first.body.page.next)}`)
  t.match(second.body, { data: [{ url: `${web.origin}/a` }], page: { hasMore: false } })
  const strange = await call(`/downloads?limit=2&state=done&cursor=${encodeURIComponent(first.body.page.next)}`)
  t.match(strange, { status: 400, body: { code: 'http.cursor_invalid' } })
  await drain(app)
})

t.test('addresses of ours and nonsense are refused at once, and a guest starts nothing', async (t) => {
  const cases: Array<[object, number, string]> = [
    [{ url: 'http://127.0.0.1:1/x', purpose: 'photo' }, 403, 'fetch.forbidden_target'],
    [{ url: 'http://169.254.169.254/', purpose: 'photo' }, 403, 'fetch.forbidden_target'],
    [{ url: 'ftp://example.com/', purpose: 'photo' }, 422, 'fetch.bad_url'],
    [{ url: 'https://example.com/', purpose: 'Not A Word' }, 400, 'http.validation_failed'],
    [{ url: 'https://example.com/', purpose: 'photo', more: 1 }, 400, 'http.validation_failed']
  ]
  for (const [payload, status, code] of cases) {
    t.match(await call('/downloads', { method: 'POST', payload }), { status, body: { code } })
  }
  const payload = { url: `${web.origin}/a`, purpose: 'other' }
  t.match(await call('/downloads', { method: 'POST', payload, as: guest }), { status: 403 })
})

t.test('a download is paused, goes on and is ended by hand', async (t) => {
  web.file('/slow', randomBytes(2_000_000), { bytesPerSecond: 1_000_000 })
  const payload = { url: `${web.origin}/slow`, purpose: 'other' }
  const { body: { id } } = await call('/downloads', { method: 'POST', payload })
  const until = async (state: string) => {
    while ((await call(`/downloads/${id}`)).body.state !== state) {
      await new Promise((resolve) => { setTimeout(resolve, 30) })
    }
  }
  await until('downloading')
  t.match(await call(`/downloads/${id}/pause`, { method: 'POST' }), { status: 200, body: { state: 'paused' } })
  await drain(app)
  t.match(await call(`/downloads/${id}/resume`, { method: 'POST' }), { status: 200, body: { state: 'queued' } })
  await until('downloading')
  t.match(await call(`/downloads/${id}/cancel`, { method: 'POST' }), { status: 200, body: { state: 'cancelled' } })
  await drain(app)
  t.match(await call(`/downloads/${id}`), { body: { state: 'cancelled' } })
})

t.test('a start that is asked for again under its key is the same answer, also after its end', async (t) => {
  web.file('/once', randomBytes(1000))
  const payload = { url: `${web.origin}/once`, purpose: 'other' }
  const key = uuidv7()
  const first = await call('/downloads', { method: 'POST', payload, key })
  await drain(app)
  const again = await call('/downloads', { method: 'POST', payload, key })
  t.same([again.status, again.body.id], [202, first.body.id])
  const other = await call('/downloads', { method: 'POST', payload: { ...payload, purpose: 'photo' }, key })
  t.match(other, { status: 422, body: { code: 'http.idempotency_key_reused' } })
  const anew = await call('/downloads', { method: 'POST', payload, key: uuidv7() })
  t.not(anew.body.id, first.body.id, 'an ended download stands in nobody\'s way')
  await drain(app)
})

t.test('guests see and steer nothing but what is theirs to see', async (t) => {
  const payload = { url: `${web.origin}/once`, purpose: 'other' }
  const { body: { id } } = await call('/downloads', { method: 'POST', payload })
  for (const verb of ['pause', 'resume', 'cancel']) {
    t.match(await call(`/downloads/${id}/${verb}`, { method: 'POST', as: guest }), { status: 403 })
    t.match(await call(`/downloads/${id}/${verb}`, { method: 'POST', as: bob }), {
      status: 404, body: { code: 'fetch.download_not_found' }
    })
  }
  await drain(app)
})

t.test('why a download failed or started again is told', async (t) => {
  web.file('/page', randomBytes(1000), { type: 'text/html' })
  const wrong = { url: `${web.origin}/page`, purpose: 'other', expect: { type: 'image/png' } }
  const { body: { id } } = await call('/downloads', { method: 'POST', payload: wrong })
  web.file('/cut', randomBytes(200_000), { etag: null }).cuts.push(100_000)
  const cut = { url: `${web.origin}/cut`, purpose: 'other' }
  const { body: { id: other } } = await call('/downloads', { method: 'POST', payload: cut })
  await drain(app)
  t.match((await call(`/downloads/${id}`)).body, { state: 'failed', errorCode: 'fetch.type_mismatch' })
  t.match((await call(`/downloads/${other}`)).body, {
    state: 'done', restarts: 1, restartCode: 'fetch.not_resumable', errorCode: null
  })
})

t.test('places at a host and the rate of a workspace hold over all processes', async (t) => {
  const [here, there] = [createSharedSlots(app.scripts), createSharedSlots(app.worker.scripts)]
  for (let n = 0; n < filesPerHost; n++) t.ok(await (n % 2 === 0 ? here : there).take('h', `d${n}`))
  t.notOk(await here.take('h', 'one more'))
  t.ok(await there.take('h', 'd0'), 'who has a place keeps it')
  t.ok(await here.take('other', 'one more'))
  await there.free('h', 'd1')
  t.ok(await here.take('h', 'one more'))
  const [one, two] = [createSharedBucket(app.scripts), createSharedBucket(app.worker.scripts)]
  t.equal(await one('w', 250, 1000), 0)
  const waits = [await two('w', 500, 1000), await one('w', 500, 1000)]
  t.ok(waits[0] as number > 400 && waits[1] as number > 900, `waits ${waits.join()} ms`)
  t.equal(await two('another', 250, 1000), 0)
  const broken = createSharedSlots({ run: async () => { throw new Error('gone') } })
  t.ok(await broken.take('h', 'd9'), 'a store that does not answer stops no download')
  await broken.free('h', 'd9')
})

t.test('the sweep is a job', async (t) => {
  const parts = join(scratch, 'parts')
  mkdirSync(parts, { recursive: true })
  const name = `${uuidv7()}.0`
  writeFileSync(join(parts, name), 'x')
  utimesSync(join(parts, name), 1, 1)
  const { workspaceId } = ann
  const added = await app.tx(async (session) => await app.jobs.add(session, sweepParts, {}, { workspaceId }))
  await drain(app)
  t.same(readdirSync(parts), [])
  const run = await app.db.collection<{ _id: string }>('jobs.runs').findOne({ _id: added.id })
  t.match(run, { state: 'done', result: { removed: 1 } })
})

t.test('whoever asked for a transfer watches it to its end', async (t) => {
  const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws') + '/live'
  const body = randomBytes(1_500_000)
  web.file('/watched', body, { bytesPerSecond: 1_000_000 })
  const payload = { url: `${web.origin}/watched`, purpose: 'other' }
  const { body: { id } } = await call('/downloads', { method: 'POST', payload })
  const channel = `fetch.download:${id}`
  const strange = await dial(t, url)
  await strange.ask({ t: 'connect', v: 1, token: bob.accessToken, session: 'one' })
  t.ok((await strange.ask({ t: 'sub', ch: channel }))['err'], 'nobody else does')
  const client = await dial(t, url)
  await client.ask({ t: 'connect', v: 1, token: ann.accessToken, session: 'two', subs: { [channel]: {} } })
  await client.next(({ d }) => d?.state === 'done', 10_000)
  const seen = client.pubs(channel).map(({ d }) => d)
  const bytes = seen.map((one) => one.bytes as number)
  t.same(bytes, bytes.toSorted((a, b) => a - b), 'bytes never fall')
  t.match(seen.at(-1), { state: 'done', bytes: body.length, total: body.length, restarts: 0 })
  t.ok(seen.some(({ rate, state }) => state === 'downloading' && rate > 0))
  await drain(app)
})

t.test('who asks says how large the file may be', async (t) => {
  web.file('/large', randomBytes(10_001))
  const ask = async (maxBytes: number) => await call('/downloads', {
    method: 'POST', payload: { url: `${web.origin}/large`, purpose: 'other', maxBytes }
  })
  t.match(await ask(0), { status: 400 })
  for (const [maxBytes, ended] of [[10_000, ['failed', 'fetch.too_large']], [10_001, ['done', null]]] as const) {
    const { body: { id } } = await ask(maxBytes)
    await drain(app)
    const { body } = await call(`/downloads/${id}`)
    t.same([body.state, body.errorCode], ended)
  }
})
