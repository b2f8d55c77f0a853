import { test } from 'tap'
import { build, drain, signIn, type TestApp } from '../helper.ts'

/** The first operator of an empty store, with a password of its own. */
async function operator (app: TestApp): Promise<{ authorization: string }> {
  const base = '/v1/identity'
  const made = await app.identity.makeFirstOperator('op@example.org')
  const login = await app.inject({
    method: 'POST',
    url: `${base}/logins`,
    payload: { email: 'op@example.org', password: made?.password, client: 'native' }
  })
  const { accessToken, refreshToken } = login.json<{ accessToken: string, refreshToken: string }>()
  await app.inject({
    method: 'PUT', url: `${base}/password`, headers: { authorization: `Bearer ${accessToken}` },
    payload: { newPassword: 'a long enough passphrase' }
  })
  const fresh = await app.inject({ method: 'POST', url: `${base}/tokens/refresh`, payload: { refreshToken } })
  return { authorization: `Bearer ${fresh.json<{ accessToken: string }>().accessToken}` }
}

interface ShownQueue { name: string, readOnlyMode: boolean, jobs: Array<{ externalUrl: { href: string } }> }

const linkOf = (queues: readonly ShownQueue[]): string =>
  queues.find(({ name }) => name === 'fast')?.jobs[0]?.externalUrl.href ?? ''

test('board: an operator opens it with a cookie, it shows the queues and asks nobody else', async (t) => {
  const app = await build(t, { role: 'both' })
  const url = '/v1/jobs/board-sessions'
  const headers = await operator(app)
  const { headers: member } = await signIn(app)
  t.equal((await app.inject({ method: 'POST', url })).statusCode, 401)
  t.equal((await app.inject({ method: 'POST', url, headers: member })).statusCode, 403, 'an owner is no operator')
  const opened = await app.inject({ method: 'POST', url, headers })
  t.equal(opened.statusCode, 204, opened.body)
  const [cookie] = opened.cookies
  t.match(cookie, {
    name: '__Host-sy_board', httpOnly: true, secure: true, sameSite: 'Strict', path: '/', maxAge: 3600
  })

  const cookies = { '__Host-sy_board': cookie?.value ?? '' }
  for (const given of [{}, { '__Host-sy_board': 'x'.repeat(43) }, { '__Host-sy_board': '' }]) {
    t.equal((await app.inject({ url: '/board/', cookies: given })).statusCode, 403)
  }
  t.equal((await app.inject({ url: '/board/', headers })).statusCode, 403, 'a bearer token is none')
  t.equal((await app.inject({ url, method: 'POST', cookies })).statusCode, 403, 'nor the cookie one')

  await drain(app)
  for (const at of ['/board', '/board/']) {
    const page = await app.inject({ url: at, cookies })
    t.equal(page.statusCode, 200)
    t.match(page.headers, { 'content-type': /html/, 'content-security-policy': /default-src 'none'.*connect-src 'self'/ })
    t.notMatch(page.body, /<link[^>]+https?:/, 'no font of somebody else')
    t.match(page.body, /<base href="\/board\/"/)
    const [, script = ''] = /src="(static\/js\/main[^"]+)"/.exec(page.body) ?? []
    const file = await app.inject({ url: `/board/${script}`, cookies })
    t.match([file.statusCode, file.headers['content-type']], [200, /javascript/])
  }
  const shown = await app.inject({ url: '/board/api/queues?activeQueue=fast&status=completed&page=1', cookies })
  const { queues } = shown.json<{ queues: ShownQueue[] }>()
  t.ok(queues.every(({ readOnlyMode }) => readOnlyMode))
  t.match(queues.find(({ name }) => name === 'fast')?.jobs[0], {
    data: { r: /^[0-9a-f-]{36}$/ }, externalUrl: { href: /^\/console\/work\/runs\/[0-9a-f-]{36}$/ }
  }, 'ids, and where the run is')
  const run = await app.inject({ url: linkOf(queues), headers: { accept: 'text/html' } })
  t.match([run.statusCode, run.headers['content-type']], [200, /html/], 'a page that a browser may open')
  const origin = { origin: 'http://localhost:80', 'sec-fetch-site': 'same-origin' }
  for (const method of ['PUT', 'POST', 'DELETE', 'PATCH'] as const) {
    const answer = await app.inject({ method, url: '/board/api/queues/fast/pause', cookies, headers: origin })
    t.equal(answer.statusCode, 405, `${method} does nothing`)
  }
})
