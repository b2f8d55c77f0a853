import { createServer } from 'node:http'
import t from 'tap'
import { drain, signIn } from '../helper.ts'
import { authorize, publicUrl, startRig } from './rig.ts'

const connections = '/v1/social/connections'

t.test('an account is connected by OAuth, and nothing is read yet', async (t) => {
  const rig = await startRig(t)
  const { app, call, platforms, listRequests } = rig
  const begun = await call('POST', connections, {
    platform: 'mastodon', instance: platforms.origin, method: 'oauth', returnTo: '/console/accounts?new=1'
  })
  t.match(begun, { status: 201, body: { state: 'pending' } })
  const url = new URL(begun.body.authorizeUrl)
  t.equal(url.origin, platforms.origin)
  t.equal(url.searchParams.get('code_challenge_method'), 'S256')
  t.equal(url.searchParams.get('redirect_uri'), `${publicUrl}/v1/social/callbacks/mastodon`)
  const path = `/v1/social/connections/${begun.body.connectionId}`
  t.match((await call('GET', path)).body, { state: 'pending' })

  const callback = await authorize(begun.body.authorizeUrl)
  const answer = await call('GET', callback, undefined, { who: null })
  t.match(answer, { status: 303, headers: { location: '/console/accounts?new=1' } })
  const { accountId } = (await call('GET', path)).body
  t.match((await call('GET', '/v1/social/accounts')).body.data, [{
    id: accountId,
    platform: 'mastodon',
    instance: platforms.origin,
    handle: 'actor',
    health: { state: 'active' },
    sync: { runId: null, pages: 0, items: 0, state: 'idle' },
    secretGeneration: 1
  }])
  t.equal(await app.db.collection('jobs.events').countDocuments({ type: 'social.account.connected' }), 1)
  await drain(app)
  t.equal(listRequests(), 0)
  t.same((await call('GET', `/v1/social/accounts/${accountId}/profile`)).body.bio,
    'Three years of public posts, as the stand-in tells them.')
  t.match(await app.db.collection('social.points').find({ 'meta.accountId': accountId }).toArray(),
    [{ meta: { metric: 'followers' }, value: 94_812 }, {}, {}])

  await t.test('a state works once', async (t) => {
    const again = await call('GET', callback, undefined, { who: null })
    t.match(again, { status: 422, body: { code: 'social.connect_state_unknown' } })
  })

  await t.test('the same account a second time is one account', async (t) => {
    const second = await call(
      'POST', connections, { platform: 'mastodon', instance: platforms.origin, method: 'oauth' })
    const answer = await call('GET', await authorize(second.body.authorizeUrl), undefined, { who: null })
    t.match(answer, { status: 409, body: { code: 'social.account_duplicate', id: accountId } })
    t.match((await call('GET', `${connections}/${second.body.connectionId}`)).body,
      { state: 'failed', error: 'social.account_duplicate' })
    t.equal(await app.db.collection('social.accounts').countDocuments(), 1)
    t.equal(await app.db.collection('social.secrets').countDocuments(), 1)
    t.equal(platforms.world.apps.size, 1, 'one registration per instance and address')
  })

  await t.test('signing in again keeps the id and raises the generation', async (t) => {
    const begun = await call('POST', `/v1/social/accounts/${accountId}/reconnect`, { method: 'oauth' })
    t.equal((await call('GET', await authorize(begun.body.authorizeUrl), undefined, { who: null })).status, 303)
    t.match((
      await call('GET', `/v1/social/accounts/${accountId}`)).body, { secretGeneration: 2, health: { state: 'active' } })
    t.match(await app.db.collection('social.secrets').findOne({}), { _id: accountId, generation: 2 })
    await drain(app)
  })

  await t.test('what is foreign is missing', async (t) => {
    const other = await signIn(app)
    const paths = ['', '/health', '/profile', '/posts', '/assets', '/downloads']
    for (const path of paths) {
      t.match(await call('GET', `/v1/social/accounts/${accountId}${path}`, undefined, { who: other }),
        { status: 404, body: { code: 'social.account_not_found' } }, path)
    }
    t.equal((await call('POST', `/v1/social/accounts/${accountId}/sync`, {}, { who: other })).status, 404)
    t.equal((await call('DELETE', `/v1/social/accounts/${accountId}`, undefined, { who: other })).status, 404)
    const patch = await call('PATCH', `/v1/social/accounts/${accountId}`, { label: 'mine' },
      { who: other, headers: { 'if-match': '"1"' } })
    t.equal(patch.status, 404)
    t.equal((await call('GET', path, undefined, { who: other })).status, 404)
    const report = `/v1/social/reports/engagement-by-day?accountId=${accountId}&from=2017-01-01&to=2017-02-01`
    t.equal((await call('GET', report, undefined, { who: other })).status, 404)
    t.equal((await call('GET', '/v1/social/accounts', undefined, { who: other })).body.data.length, 0)
    t.equal((await call('GET', '/v1/social/accounts', undefined, { who: null })).status, 401)
    const guest = await signIn(app, { role: 'guest' })
    t.match(await call(
      'POST', connections, { platform: 'mastodon', instance: platforms.origin, method: 'oauth' }, { who: guest }),
    { status: 403 })
  })

  await t.test('settings change under the version they were read at', async (t) => {
    const path = `/v1/social/accounts/${accountId}`
    t.match(await call('PATCH', path, { label: 'x' }), { status: 428 })
    const { headers: { etag } } = await call('GET', path)
    const headers = { 'if-match': String(etag) }
    t.match(await call(
      'PATCH', path, { label: 'Ours', zone: 'Asia/Tokyo', syncPolicy: { everyMinutes: 60 } }, { headers }),
    {
      status: 200, body: {
        label: 'Ours', zone: 'Asia/Tokyo', syncPolicy: { everyMinutes: 60, backfillPosts: 20_000 }
      }
    })
    t.match(await call('PATCH', path, { label: 'Theirs' }, { headers }), { status: 412 })
    const now = { 'if-match': String((await call('GET', path)).headers['etag']) }
    t.match(await call('PATCH', path, { zone: 'Mars/Base' }, { headers: now }), { status: 400 })
    t.match(await call('PATCH', path, { syncPolicy: { everyMinutes: 1 } }, { headers: now }), { status: 400 })
    t.match(await call('PATCH', path, { secretGeneration: 9 }, { headers: now }), { status: 400 })
  })

  await t.test('disconnecting revokes the token and forgets it', async (t) => {
    t.match(await call('DELETE', `/v1/social/accounts/${accountId}?erase=true`), { status: 400 })
    const answer = await call('DELETE', `/v1/social/accounts/${accountId}`)
    t.match(answer, { status: 202, body: { type: 'social.disconnect-account' } })
    await drain(app)
    t.match((await call('GET', String(answer.headers['location']))).body, { state: 'succeeded' })
    t.equal([...platforms.world.tokens.values()].filter(({ isRevoked }) => isRevoked).length, 1)
    t.equal(await app.db.collection('social.secrets').countDocuments(), 0)
    t.match((await call('GET', `/v1/social/accounts/${accountId}/health`)).body,
      { state: 'disconnected', fix: { key: 'connect' } })
    t.match(await call('POST', `/v1/social/accounts/${accountId}/sync`, {}),
      { status: 409, body: { code: 'social.account_disconnected' } })
  })
})

t.test('an account is connected by a pasted token', async (t) => {
  const { app, call, platforms } = await startRig(t, { role: 'server' })
  const { accessToken: token } = platforms.world.issueToken(
    { clientId: null, accountId: platforms.world.actorId, scopes: ['read'] })
  const body = { platform: 'mastodon', instance: platforms.origin, method: 'token' }
  t.match(await call('POST', connections, body), { status: 400, body: { code: 'http.validation_failed' } })
  t.match(await call('POST', connections, { ...body, token: 'wrong' }), {
    status: 403, body: { code: 'social.connect_denied' }
  })
  const narrow = platforms.world.issueToken(
    { clientId: null, accountId: platforms.world.actorId, scopes: ['read:accounts'] })
  t.match(await call('POST', connections, { ...body, token: narrow.accessToken }),
    { status: 403, body: { code: 'social.scope_missing' } })
  t.equal(await app.db.collection('social.accounts').countDocuments(), 0, 'a refusal stores nothing')
  const key = { 'idempotency-key': 'paste-1' }
  const answer = await call('POST', connections, { ...body, token }, { headers: key })
  t.match(answer, { status: 201, body: { state: 'connected', accountId: /^[0-9a-f-]{36}$/ } })
  const again = await call('POST', connections, { ...body, token }, { headers: key })
  t.equal(again.body.accountId, answer.body.accountId, 'a repeat with the key answers the same')
  t.same((await call('GET', String(answer.headers['location']))).body, answer.body)
  t.equal(await app.db.collection('social.accounts').countDocuments(), 1)
  const missing = await call('POST', connections, { ...body, token }, { headers: { 'idempotency-key': '' } })
  t.equal(missing.status, 400)
})

t.test('refusals of a sign-in leave nothing behind', async (t) => {
  const { app, call, platforms } = await startRig(t, { role: 'server' })
  const begin = async () => (await call('POST', connections, {
    platform: 'mastodon', instance: platforms.origin, method: 'oauth'
  })).body
  const goBack = async (path: string) => await call('GET', path, undefined, { who: null })

  t.match(await goBack('/v1/social/callbacks/mastodon?code=x&state=foreign'),
    { status: 422, body: { code: 'social.connect_state_unknown' } })
  t.match(await goBack('/v1/social/callbacks/mastodon?code=x'), { status: 422 })
  const denied = await begin()
  t.match(await goBack(await authorize(denied.authorizeUrl, 'deny')), {
    status: 403, body: { code: 'social.connect_denied' }
  })
  t.match((await call('GET', `${connections}/${denied.connectionId}`)).body, {
    state: 'failed', error: 'social.connect_denied'
  })

  const forged = new URL(await authorize((await begin()).authorizeUrl), publicUrl)
  forged.searchParams.set('code', 'forged')
  t.match(await goBack(forged.pathname + forged.search), { status: 403, body: { code: 'social.connect_denied' } })

  const elsewhere = await authorize((await begin()).authorizeUrl)
  t.match(await goBack(`${elsewhere}&iss=https%3A%2F%2Felsewhere.example`),
    { status: 422, body: { code: 'social.connect_state_unknown' } })

  platforms.faults.add({
    match: { operation: 'oauth.token' },
    effect: {
      kind: 'answer', status: 200, body: {
        access_token: 'short-of-rights', scope: 'read:accounts', token_type: 'Bearer'
      }
    }
  })
  t.match(await goBack(await authorize((await begin()).authorizeUrl)),
    { status: 403, body: { code: 'social.scope_missing' } })

  platforms.faults.add({ match: { operation: 'accounts.verify' }, effect: { kind: 'html' } })
  t.match(await goBack(await authorize((await begin()).authorizeUrl)),
    { status: 503, body: { code: 'social.upstream_answer_invalid' } })

  for (const name of ['social.accounts', 'social.secrets', 'social.cursors']) {
    t.equal(await app.db.collection(name).countDocuments(), 0, name)
  }
  t.equal(await app.db.collection('jobs.events').countDocuments({ type: /^social\./ }), 0)
})

t.test('an address that may not be called is refused and never connected to', async (t) => {
  const { call } = await startRig(t, { role: 'server', allow: false })
  let reached = 0
  const server = createServer((_request, response) => { response.end('{}') })
  server.on('connection', () => { reached++ })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  const { port } = server.address() as { port: number }
  const instances = [
    `http://127.0.0.1:${port}`, `https://127.0.0.1:${port}`, `127.0.0.1:${port}`, `https://localhost:${port}`,
    `https://[::1]:${port}`, `https://2130706433:${port}`, `https://0x7f.1:${port}`, 'https://10.0.0.1',
    'https://169.254.169.254', 'http://example.org', 'https://user:secret@example.org', 'ftp://example.org',

    'javascript:alert(1)', 'not an address'
  ]
  for (const instance of instances) {
    for (const method of ['oauth', 'token']) {
      const answer = await call('POST', connections, { platform: 'mastodon', instance, method, token: 'x' })
      t.match(answer, { status: 422, body: { code: 'social.instance_refused' } }, `${method} ${instance}`)
    }
  }
  t.equal(reached, 0, 'no connection was made')
  t.match(await call('POST', connections, { platform: 'myspace', instance: 'https://example.org', method: 'oauth' }),
    { status: 422, body: { code: 'social.platform_unknown' } })
  for (const returnTo of ['https://evil.example', '//evil.example', '/\\evil.example', 'console']) {
    t.match(await call(
      'POST', connections, { platform: 'mastodon', instance: 'https://1.1.1.1', method: 'oauth', returnTo }),
    { status: 400 }, returnTo)
  }
})
