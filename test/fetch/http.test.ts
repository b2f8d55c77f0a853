import { randomBytes } from 'node:crypto'
import t from 'tap'
import { uuidv7 } from '../../src/kernel/index.ts'
import { build, drain, signIn } from '../helper.ts'
import { startWeb } from '../stand-ins/web.ts'

const web = await startWeb()
t.teardown(async () => { await web.close() })
const app = await build(t, { role: 'both', config: { FETCH_ALLOW: web.host } })
const ann = await signIn(app)
const bob = await signIn(app)
const guest = await signIn(app, { role: 'guest' })

interface Call { method?: 'GET' | 'POST', as?: { headers: { authorization: string } }, payload?: object }

async function call (url: string, { method = 'GET', as = ann, payload }: Call = {}) {
  const answer = await app.inject({
    method, url: `/v1/fetch${url}`, headers: as.headers, ...(payload === undefined ? {} : { payload })
  })
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
}

t.test('a person starts a download, sees it end, and nobody else does', async (t) => {
  web.file('/a', randomBytes(10_000))
  const payload = { url: `${web.origin}/a`, purpose: 'other', name: 'a.bin' }
  const started = await call('/downloads', { method: 'POST', payload })
  t.match(started, { status: 202, body: { state: 'queued', name: 'a.bin', bytes: 0, restarts: 0 } })
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
