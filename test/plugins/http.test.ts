import t from 'tap'
import { Type } from 'typebox'
import { currentContext } from '../../src/kernel/index.ts'
import { IdParams, ref } from '../../src/kernel/schemas.ts'
import { Body, echo, floor, mine, open, words } from './floor.ts'

t.test('every refused body is a problem with a stable code, and never a 5xx', async (t) => {
  const app = await floor(t, echo)
  const deep = '['.repeat(40) + ']'.repeat(40)
  const cases: Array<[string, string | Buffer, number, string]> = [
    ['cut', '{"name":', 400, 'http.malformed_json'],
    ['UTF-16', Buffer.from('{"name":"a"}', 'utf16le'), 400, 'http.malformed_json'],
    ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22]), 400, 'http.malformed_json'],
    ['a number as text', '{"name":"a","count":"5"}', 400, 'http.validation_failed'],
    ['an unknown field', '{"name":"a","ownerId":"x"}', 400, 'http.validation_failed'],
    ['nothing', '', 400, 'http.validation_failed'],
    ['null', 'null', 400, 'http.validation_failed'],
    ['too long', JSON.stringify({ name: 'x'.repeat(21) }), 400, 'http.validation_failed'],
    ['an operator', '{"name":{"$gt":""}}', 400, 'http.forbidden_key'],
    ['a prototype', '{"__proto__":{"a":1}}', 400, 'http.forbidden_key'],
    ['a constructor', '{"constructor":{"prototype":{}}}', 400, 'http.forbidden_key'],
    ['33 levels', deep, 400, 'http.forbidden_key'],
    ['10,001 keys', JSON.stringify(
      Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`k${i}`, 1]))
    ), 400, 'http.forbidden_key'],
    ['2 MiB', JSON.stringify({ name: 'x'.repeat(2 * 1024 * 1024) }), 413, 'http.payload_too_large']
  ]
  for (const [name, payload, status, code] of cases) {
    const answer = await app.inject(
      { method: 'POST', url: '/things', payload, headers: { 'content-type': 'application/json' } }
    )
    t.equal(answer.statusCode, status, name)
    t.match(answer.json(), { code, status, type: `/errors/${code}`, requestId: String }, name)
    t.match(answer.headers['content-type'], /^application\/problem\+json/, name)
  }
})

t.test('what is wrong is named by a pointer, and nothing is repaired in silence', async (t) => {
  const app = await floor(t, echo)
  const post = async (payload: object) => (await app.inject({ method: 'POST', url: '/things', payload })).json()
  t.match((
    await post({ name: 'a', cuont: 1 })
  ).errors, [{ in: 'body', pointer: '/cuont', code: 'unknown_field', detail: /Did you mean "count"/ }])
  t.match((await post({})).errors, [{ in: 'body', pointer: '/name', code: 'missing' }])
  t.match(
    (await post({ name: 'a', tags: ['x', 'y', 'z', 'w'] })).errors, [{ in: 'body', pointer: '/tags', code: 'too_many' }]
  )
  const query = async (text: string) => await app.inject(`/things?${text}`)
  t.same((await query('limit=5')).json(), { query: { limit: 5 } }, 'a query is text and becomes a number')
  t.match((
    await query('limti=5')
  ).json().errors, [{ in: 'query', pointer: '/limti', code: 'unknown_field', detail: /"limit"/ }])
  t.match((await query('limit=many')).json().errors, [{ in: 'query', pointer: '/limit', code: 'wrong_type' }])
})

t.test('unknown paths, methods and types are told apart', async (t) => {
  const app = await floor(t, (child) => {
    echo(child)
    child.get('/things/:id', { schema: { ...words(), params: ref(IdParams) }, config: open }, async () => ({}))
  })
  t.match((await app.inject('/nowhere')).json(), { status: 404, code: 'http.route_not_found' })
  const wrongMethod = await app.inject({ method: 'DELETE', url: '/things/x?y=1' })
  t.match(wrongMethod.json(), { status: 405, code: 'http.method_not_allowed' })
  t.equal(wrongMethod.headers.allow, 'GET, HEAD')
  const wrongType = await app.inject(
    { method: 'POST', url: '/things', payload: 'a=1', headers: { 'content-type': 'text/plain' } }
  )
  t.match(wrongType.json(), { status: 415, code: 'http.unsupported_media_type' })
  t.match((await app.inject('/things/not-an-id')).json().errors, [{ in: 'params', pointer: '/id', code: 'wrong_form' }])
  t.match((await app.inject(`/things?limit=${'1'.repeat(9000)}`)).json(), { status: 414, code: 'http.uri_too_long' })
  t.match((await app.inject('/%c0%ae')).json(), { status: 400, code: 'http.bad_request' })
})

t.test('an unknown exception shows ids and nothing of itself', async (t) => {
  const app = await floor(t, (child) => {
    child.get('/broken', { schema: words(), config: open }, async () => { throw new Error('the secret is rhubarb') })
  })
  const answer = await app.inject('/broken')
  t.equal(answer.statusCode, 500)
  t.notMatch(answer.body, /rhubarb/)
  t.same(
    Object.keys(answer.json()).sort(), ['code', 'instance', 'kind', 'requestId', 'status', 'title', 'traceId', 'type']
  )
  t.equal(answer.headers['x-request-id'], answer.json().requestId)
})

t.test('the id of a request is ours, or the one of a trusted proxy', async (t) => {
  const own = await floor(t, echo)
  const foreign = await own.inject({ url: '/things', headers: { 'x-request-id': 'abcdefgh-1' } })
  t.match(foreign.headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  const behind = await floor(t, echo, { HTTP_TRUSTED_PROXIES: '127.0.0.0/8' })
  const given = async (id: string) => (
    await behind.inject({ url: '/things', headers: { 'x-request-id': id } })
  ).headers['x-request-id']
  t.equal(await given('abcdefgh-1'), 'abcdefgh-1')
  t.not(await given('short'), 'short')
  t.not(await given('has a space in it'), 'has a space in it')
})

t.test('context and trace reach the handler of a read and of a write', async (t) => {
  const seen: unknown[] = []
  const app = await floor(t, (child) => {
    const look = async () => {
      const { cause, trace, actor } = currentContext() ?? {}
      seen.push([cause?.kind, trace, actor?.id])
      return {}
    }
    child.get('/look', { schema: words(), config: mine }, look)
    child.post('/look', { schema: { ...words(), body: Body }, config: mine }, look)
  })
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const address = await app.listen({ port: 0 })
  const from = { authorization: 'Bearer ann', traceparent: trace }
  await fetch(`${address}/look`, { headers: from })
  await fetch(`${address}/look`, {
    method: 'POST', headers: { ...from, 'content-type': 'application/json' }, body: '{"name":"a"}'
  })
  t.same(seen, [['request', trace, 'ann'], ['request', trace, 'ann']])
})

t.test('a request that outlives its deadline is answered at it, and its signal aborts', async (t) => {
  const reasons: unknown[] = []
  const app = await floor(t, (child) => {
    const stuck = async (request: { deadline: AbortSignal }) => {
      await new Promise<void>((resolve) => {
        request.deadline.addEventListener('abort', () => {
          reasons.push((request.deadline.reason as { code?: string }).code)
          resolve()
        })
      })
    }
    child.get('/stuck', { schema: words(), config: { ...open, timeoutMs: 60 } }, stuck)
    child.post('/stuck', { schema: { ...words(), body: Body }, config: { ...open, timeoutMs: 60 } }, stuck)
  })
  const address = await app.listen({ port: 0 })
  const read = await fetch(`${address}/stuck`)
  const write = await fetch(
    `${address}/stuck`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"a"}' }
  )
  for (const answer of [read, write]) {
    t.equal(answer.status, 503)
    t.match(await answer.json(), { code: 'http.deadline_exceeded', retryAfterMs: Number })
  }
  t.same(reasons, ['http.deadline_exceeded', 'http.deadline_exceeded'])
})

t.test('a client that leaves aborts the signal', async (t) => {
  const left = Promise.withResolvers<unknown>()
  const started = Promise.withResolvers<undefined>()
  const app = await floor(t, (child) => {
    child.post('/wait', { schema: { ...words(), body: Body }, config: open }, async (request) => {
      request.deadline.addEventListener('abort', () => { left.resolve(request.deadline.reason) })
      started.resolve(undefined)
      await left.promise
    })
  })
  const address = await app.listen({ port: 0 })
  const controller = new AbortController()
  const call = fetch(`${address}/wait`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"a"}', signal: controller.signal
  })
  await started.promise
  controller.abort()
  await t.rejects(call)
  t.match(await left.promise, { message: 'the client left' })
})

t.test('refusals come in their order: proof, permission, freshness, limit, schema', async (t) => {
  const app = await floor(t, (child) => {
    child.post('/guarded', {
      schema: { ...words(), body: Body }, config: { ...mine, auth: { ...mine.auth, freshness: 300 }, limit: 'write' }
    }, async () => ({}))
  })
  const call = async (token: string) => await app.inject({
    method: 'POST', url: '/guarded', payload: { wrong: 1 }, headers: { authorization: `Bearer ${token}` }
  })
  const missing = await app.inject({ method: 'POST', url: '/guarded', payload: { wrong: 1 } })
  t.match(missing.json(), { status: 401, code: 'identity.token_missing' })
  t.equal(missing.headers['www-authenticate'], 'Bearer')
  const wrong = await call('eve')
  t.match(wrong.json(), { status: 401, code: 'identity.token_invalid' })
  t.match(wrong.headers['www-authenticate'], /invalid_token/)
  t.match(
    (await call('bob')).json(), { status: 403, code: 'identity.permission_denied', permission: 'test:thing:read' }
  )
  const old = await call('old')
  t.match(old.json(), { status: 401, code: 'http.step_up_required', maxAgeS: 300 })
  t.match(old.headers['www-authenticate'], /insufficient_user_authentication", max_age="300"/)
  t.match((await call('ann')).json(), { status: 400, code: 'http.validation_failed' })
})

t.test('a class of one principal ends in 429 and says how long to wait; another is not touched', async (t) => {
  const app = await floor(t, (child) => {
    child.post('/write', { schema: words(), config: { ...mine, limit: 'write' } }, async () => ({}))
  })
  const call = async (token: string) => await app.inject(
    { method: 'POST', url: '/write', headers: { authorization: `Bearer ${token}` } }
  )
  const first = await call('ann')
  t.equal(first.headers['ratelimit-policy'], '"write";q=60;w=10, "workspace";q=3000;w=6')
  t.equal(first.headers['ratelimit'], '"write";r=59;t=1')
  const answers = await Promise.all(Array.from({ length: 70 }, async () => await call('ann')))
  const refused = answers.filter(({ statusCode }) => statusCode === 429)
  t.ok(refused.length >= 9 && refused.length <= 11, `${refused.length} of 71 refused`)
  t.match(refused[0]?.json(), { code: 'http.rate_limited', bucket: 'write', retryAfterMs: Number })
  t.match(refused[0]?.headers['retry-after'], /^[1-9]/)
  t.equal((await call('old')).statusCode, 200)
})

t.test('a flood from one address is cut before anything else', async (t) => {
  const app = await floor(t, echo, { HTTP_FLOOD_PER_MIN: '5' })
  const statuses: number[] = []
  for (const url of ['/things', '/things', '/things', '/nowhere', '/nowhere', '/nowhere', '/things']) {
    statuses.push((await app.inject(url)).statusCode)
  }
  t.same(statuses, [200, 200, 200, 404, 404, 429, 429])
  t.match((await app.inject('/things')).json(), { code: 'http.rate_limited', bucket: 'flood', retryAfterMs: Number })
})

t.test('routes without their declarations stop the boot, all of them named', async (t) => {
  const boot = floor(t, (app) => {
    app.get('/bare', async () => ({}))
    app.get('/short', { schema: words(), config: { auth: { public: 'because' }, limit: 'free' } }, async () => ({}))
    app.get('/typo', {
      schema: words(), config: { auth: { by: ['session'], permission: 'test:thing:raed' }, limit: 'read' }
    }, async () => ({}))
    app.get('/of/:id', { schema: { ...words(), params: ref(IdParams) }, config: mine }, async () => ({}))
    app.post(
      '/loose', { schema: { ...words(), body: Type.Object({ a: Type.String() }) }, config: open }, async () => ({})
    )
    app.get('/fresh', {
      schema: words(), config: { auth: { by: ['apiKey'], permission: 'self', freshness: 5 }, limit: 'read' }
    }, async () => ({}))
  })
  const error = await boot.then(() => undefined, (error: Error) => error)
  const text = error?.message ?? ''
  for (const sentence of [
    'GET /bare has no auth.',
    'GET /bare has no operationId.',
    'GET /short is public for a reason of less than 20 characters.',
    'GET /typo names the permission "test:thing:raed", which nobody declares. Did you mean "test:thing:read"?',
    'GET /of/:id has the parameter "id" and neither owner nor owner: { none }.',
    'POST /loose has a string without maxLength at body/a.',
    'POST /loose has an object without additionalProperties: false at body.',
    'GET /fresh asks for freshness but takes no session.'
  ]) t.match(text, new RegExp(sentence.replaceAll(/[.?/(){}[\]]/g, '\\$&')))
})

t.test('a write that carries cookies must come from our own pages', async (t) => {
  const app = await floor(t, echo)
  const post = async (headers: Record<string, string>) => (await app.inject({
    method: 'POST', url: '/things', payload: { name: 'a' }, headers
  })).statusCode
  t.equal(await post({ cookie: 'a=b' }), 403)
  t.equal(await post({ cookie: 'a=b', 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await post({ cookie: 'a=b', 'sec-fetch-site': 'cross-site', origin: 'https://ours.test' }), 403)
  t.equal(await post({ cookie: 'a=b', 'sec-fetch-site': 'same-origin' }), 200)
  t.equal(await post({ cookie: 'a=b', origin: 'https://ours.test' }), 200)
  t.equal(await post({ cookie: 'a=b', origin: 'https://ours.test.evil.test' }), 403)
  t.equal(await post({}), 200)
})

t.test('every answer carries the security headers, and CORS only for exact origins', async (t) => {
  const app = await floor(t, echo)
  const answer = await app.inject({ url: '/things', headers: { origin: 'https://friend.test' } })
  t.match(answer.headers, {
    'content-security-policy': /default-src 'none';frame-ancestors 'none'/,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'strict-transport-security': /max-age=31536000/,
    'cross-origin-resource-policy': 'same-origin',
    'access-control-allow-origin': 'https://friend.test'
  })
  t.notOk(answer.headers['x-powered-by'])
  const foreign = await app.inject({ url: '/things', headers: { origin: 'https://friend.test.evil.test' } })
  t.notOk(foreign.headers['access-control-allow-origin'])
})

t.test('health tells the truth about its checks', async (t) => {
  const app = await floor(t, (child) => {
    child.healthChecks.add({ name: 'good', critical: true, timeoutMs: 100, check: async () => {} })
    child.healthChecks.add(
      { name: 'mail', critical: false, timeoutMs: 100, check: async () => { throw new Error('away') } }
    )
  })
  t.match((await app.inject('/health/ready')).json(), { status: 'warn' })
  t.match((await app.inject('/health')).json(), { checks: { good: { status: 'pass' }, mail: { status: 'warn' } } })
  const sick = await floor(t, (child) => {
    child.healthChecks.add(
      { name: 'stuck', critical: true, timeoutMs: 20, check: async () => { await new Promise(() => {}) } }
    )
  })
  t.equal((await sick.inject('/health/ready')).statusCode, 503)
  t.equal((await sick.inject('/health/live')).statusCode, 200)
  t.equal((await app.inject('/metrics')).statusCode, 401)
})
