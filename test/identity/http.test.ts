import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildPeople as build } from './app.ts'
import { quickSignIn } from '../helper.ts'

const base = '/v1/identity'
const password = 'seventeen tall trees'

async function post (app: FastifyInstance, path: string, payload: object, headers: Record<string, string> = {}) {
  return await app.inject({ method: 'POST', url: `${base}${path}`, payload, headers })
}

async function get (app: FastifyInstance, path: string, headers: Record<string, string>) {
  return await app.inject({ method: 'GET', url: `${base}${path}`, headers })
}

async function codeOf (app: FastifyInstance, flowId: string): Promise<string> {
  return (await app.identity.codeMail(flowId))?.code ?? ''
}

/** Registers over HTTP; the code comes from the flow, as the mail gets it. */
async function register (app: FastifyInstance, email: string, client: 'web' | 'native' = 'native') {
  const started = await post(app, '/registrations', { email, password, displayName: 'Ann', workspaceName: 'Ann & Co' })
  const { flowId } = started.json<{ flowId: string }>()
  return await post(app, `/registrations/${flowId}/verify`, { code: await codeOf(app, flowId), client })
}

const app = await build(t)

t.test('a person registers by the mailed code, logs in, refreshes and leaves', async (t) => {
  const started = await post(app, '/registrations', { email: 'Ann@Example.ORG', password, displayName: 'Ann' })
  t.equal(started.statusCode, 202)
  const { flowId } = started.json<{ flowId: string }>()
  t.equal(await app.db.collection('identity.users').countDocuments(), 0, 'no account before the proof')

  const wrong = await post(app, `/registrations/${flowId}/verify`, { code: await otherCode(app, flowId) })
  t.match([wrong.statusCode, wrong.json()], [422, { code: 'identity.code_wrong' }])
  const made = await post(app, `/registrations/${flowId}/verify`, { code: await codeOf(app, flowId), client: 'native' })
  t.equal(made.statusCode, 201)
  t.match(
    made.json(),
    {
      user: { email: 'Ann@example.org', displayName: 'Ann' },
      workspace: { name: 'Ann', roles: ['owner'] },
      expiresInS: 600
    }
  )
  const again = await post(app, `/registrations/${flowId}/verify`, { code: '000000' })
  t.match([again.statusCode, again.json()], [422, { code: 'identity.flow_invalid' }])

  const login = await post(app, '/logins', { email: 'ann@example.org', password, client: 'native' })
  t.equal(login.statusCode, 200)
  const { accessToken, refreshToken } = login.json<{ accessToken: string, refreshToken: string }>()
  const headers = { authorization: `Bearer ${accessToken}` }
  t.match((await get(app, '/users/me', headers)).json(), { email: 'Ann@example.org' })
  t.match(
    (await get(app, '/members', headers)).json(),
    { data: [{ displayName: 'Ann', roles: ['owner'] }], page: { hasMore: false } }
  )

  const refreshed = await post(app, '/tokens/refresh', { refreshToken })
  t.equal(refreshed.statusCode, 200)
  t.not(refreshed.json<{ refreshToken: string }>().refreshToken, refreshToken)

  const sessions = (await get(app, '/sessions', headers)).json<{ data: Array<{ id: string, current: boolean }> }>()
  t.equal(sessions.data.length, 2)
  t.equal(sessions.data.filter(({ current }) => current).length, 1)
  const left = await app.inject({ method: 'DELETE', url: `${base}/sessions/current`, headers })
  t.equal(left.statusCode, 204)
  const after = await get(app, '/users/me', headers)
  t.match([after.statusCode, after.json()], [401, { code: 'identity.session_ended' }])
  const late = await post(
    app, '/tokens/refresh', { refreshToken: refreshed.json<{ refreshToken: string }>().refreshToken }
  )
  t.match([late.statusCode, late.json()], [401, { code: 'identity.session_ended' }])
})

async function otherCode (app: FastifyInstance, flowId: string): Promise<string> {
  return await codeOf(app, flowId) === '123456' ? '654321' : '123456'
}

t.test('a browser gets its refresh token as a cookie that no script reads', async (t) => {
  const made = await register(app, 'web@example.org', 'web')
  t.equal(made.statusCode, 201)
  t.notHas(made.json(), { refreshToken: String })
  const [cookie] = made.cookies
  t.match(cookie, { name: '__Host-sy_rt', httpOnly: true, secure: true, sameSite: 'Strict', path: '/' })

  const headers = { cookie: `__Host-sy_rt=${cookie?.value ?? ''}` }
  const foreign = await post(app, '/tokens/refresh', {}, { ...headers, 'sec-fetch-site': 'cross-site' })
  t.match([foreign.statusCode, foreign.json()], [403, { code: 'http.csrf_rejected' }])
  const own = await post(app, '/tokens/refresh', {}, { ...headers, 'sec-fetch-site': 'same-origin' })
  t.equal(own.statusCode, 200)
  t.notHas(own.json(), { refreshToken: String })
  t.not(own.cookies[0]?.value, cookie?.value)
})

t.test('an address tells nobody whether it has an account', async (t) => {
  await register(app, 'known@example.org')
  const shape = (answer: Awaited<ReturnType<typeof post>>) => ({
    status: answer.statusCode,
    headers: Object.keys(answer.headers).sort(),
    length: answer.body.length,
    members: Object.keys(answer.json<object>()).sort()
  })
  const asked = async (email: string) => shape(await post(app, '/registrations', { email, password, displayName: 'X' }))
  t.same(await asked('known@example.org'), await asked('fresh@example.org'))
  const tried = async (email: string) => await post(
    app, '/logins', { email, password: 'not the right one', client: 'web' }
  )
  const [known, fresh] = [await tried('known@example.org'), await tried('nobody@example.org')]
  t.same(shape(known), shape(fresh))
  t.match([known.statusCode, known.json()], [401, { code: 'identity.login_failed' }])

  const times = { known: [] as number[], fresh: [] as number[] }
  for (let round = 0; round < 6; round++) {
    for (const [kind, email] of [['known', 'known@example.org'], ['fresh', 'nobody@example.org']] as const) {
      const startedAt = performance.now()
      await tried(email)
      times[kind].push(performance.now() - startedAt)
    }
  }
  t.ok(Math.min(...times.known, ...times.fresh) >= 49, 'no answer leaves before 50 ms')

  // The known one gets a flow that no code can finish, and a mail that says so.
  const flow = (await post(
    app, '/registrations', { email: 'known@example.org', password, displayName: 'X' }
  )).json<{ flowId: string }>()
  t.match(await app.identity.codeMail(flow.flowId), { to: 'known@example.org', code: null })
})

t.test('what cannot be an account is refused with a stable code', async (t) => {
  const weak = await post(app, '/registrations', { email: 'a@example.org', password: 'too short', displayName: 'A' })
  t.match([weak.statusCode, weak.json()], [422, { code: 'identity.weak_password', reasons: ['too_short'] }])
  for (const email of [
    'no-at.example.org', 'a@b@example.org', 'a b@example.org', 'a\r\nbcc:x@example.org', '@example.org', 'a@-x..y'
  ]) {
    const answer = await post(app, '/registrations', { email, password, displayName: 'A' })
    t.match([answer.statusCode, answer.json()], [400, { code: 'http.validation_failed' }], email)
  }
  for (const payload of [
    { email: { $gt: '' }, password, client: 'web' },
    { email: 'a@example.org', password, client: 'web', roles: ['owner'] }
  ]) {
    const answer = await post(app, '/logins', payload)
    t.equal(answer.statusCode, 400)
  }
  const huge = await post(app, '/logins', { email: 'a@example.org', password: 'x'.repeat(1_000_000), client: 'web' })
  t.match([huge.statusCode, huge.json()], [413, { code: 'http.payload_too_large' }])
  const none = await get(app, '/users/me', {})
  t.match([none.statusCode, none.json()], [401, { code: 'identity.token_missing' }])
  const unknown = await post(app, '/registrations/01900000-0000-7000-8000-000000000000/verify', { code: '123456' })
  t.match([unknown.statusCode, unknown.json()], [422, { code: 'identity.flow_invalid' }])
})

t.test('the first operator is made once and must change the password first', async (t) => {
  const app = await build(t)
  const made = await Promise.all([1, 2, 3].map(async () => await app.identity.makeFirstOperator('op@example.org')))
  const [first, ...others] = made.filter((one) => one !== null)
  t.equal(others.length, 0, 'one of three racing starts wins')
  const renewed = await app.identity.makeFirstOperator('op@example.org', { renew: true })
  t.not(renewed?.password, first?.password)
  const old = await post(app, '/logins', { email: 'op@example.org', password: first?.password, client: 'native' })
  t.equal(old.statusCode, 401, 'the password before is void')

  const login = await post(app, '/logins', { email: 'op@example.org', password: renewed?.password, client: 'native' })
  t.equal(login.statusCode, 200)
  const { accessToken, refreshToken } = login.json<{ accessToken: string, refreshToken: string }>()
  const headers = { authorization: `Bearer ${accessToken}` }
  const me = await get(app, '/users/me', headers)
  t.match([me.statusCode, me.json()], [403, { code: 'identity.password_change_required' }])
  await t.rejects(app.authenticator().authenticate({ token: accessToken, requestId: null, ip: null, userAgent: null }),
    { code: 'identity.password_change_required' }, 'sockets too')
  t.equal(
    await app.identity.makeFirstOperator('op@example.org', { renew: true }),
    null,
    'who has signed in keeps the account'
  )

  const changed = await app.inject({
    method: 'PUT', url: `${base}/password`, headers, payload: { newPassword: password }
  })
  t.equal(changed.statusCode, 204)
  const fresh = (await post(app, '/tokens/refresh', { refreshToken })).json<{ accessToken: string }>()
  const free = await get(app, '/workspaces', { authorization: `Bearer ${fresh.accessToken}` })
  t.match(free.json(), { data: [{ slug: 'platform', roles: ['owner', 'operator'] }] })
})

t.test('a changed password ends the other sessions', async (t) => {
  await register(app, 'change@example.org')
  const logIn = async () => (await post(
    app, '/logins', { email: 'change@example.org', password, client: 'native' }
  )).json<{ accessToken: string }>()
  const [mine, other] = [await logIn(), await logIn()]
  const bearer = ({ accessToken }: { accessToken: string }) => ({ authorization: `Bearer ${accessToken}` })
  const changed = await app.inject({
    method: 'PUT', url: `${base}/password`, headers: bearer(mine), payload: { newPassword: 'another seventeen trees' }
  })
  t.equal(changed.statusCode, 204)
  t.match((await get(app, '/users/me', bearer(other))).json(), { code: 'identity.session_ended' })
  t.equal((await get(app, '/users/me', bearer(mine))).statusCode, 200, 'within the grace of ten seconds')
  const old = await post(app, '/logins', { email: 'change@example.org', password, client: 'native' })
  t.equal(old.statusCode, 401)
})

t.test('a token belongs to one workspace; another one is asked for', async (t) => {
  const ann = await quickSignIn(app)
  const bob = await quickSignIn(app)
  const created = await post(app, '/workspaces', { name: 'Second' }, ann.headers)
  t.equal(created.statusCode, 201)
  const { id } = created.json<{ id: string }>()
  const foreign = await post(app, '/sessions/current/workspace', { workspaceId: bob.workspaceId }, ann.headers)
  t.match([foreign.statusCode, foreign.json()], [404, { code: 'identity.workspace_not_found' }])
  const moved = (await post(
    app, '/sessions/current/workspace', { workspaceId: id }, ann.headers
  )).json<{ accessToken: string, refreshToken: string }>()
  const actor = await app.authenticator().authenticate({
    token: moved.accessToken, requestId: null, ip: null, userAgent: null
  })
  t.equal(actor.workspaceId, id)
  const refreshed = (await post(
    app, '/tokens/refresh', { refreshToken: moved.refreshToken }
  )).json<{ accessToken: string }>()
  const again = { token: refreshed.accessToken, requestId: null, ip: null, userAgent: null }
  t.equal((await app.authenticator().authenticate(again)).workspaceId, id)

  const ended = await app.inject({
    method: 'DELETE', url: `${base}/sessions/${String(bob.actor.sessionId)}`, headers: ann.headers
  })
  t.match(
    [ended.statusCode, ended.json()],
    [404, { code: 'identity.session_not_found' }],
    'a foreign session does not exist'
  )
  t.equal((await get(app, '/users/me', bob.headers)).statusCode, 200)
})

t.test('public keys are published and nothing else of them', async (t) => {
  await quickSignIn(app)
  const answer = await app.inject({ method: 'GET', url: '/.well-known/jwks.json' })
  t.match([answer.statusCode, answer.headers['cache-control']], [200, 'public, max-age=300'])
  t.same(Object.keys(answer.json<{ keys: object[] }>().keys[0] ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x'])
})
