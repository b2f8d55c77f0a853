import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { SignJWT, generateKeyPair } from 'jose'
import t from 'tap'
import { quickSignIn, testEnvironment, type QuickPerson } from '../helper.ts'
import { isDomainError } from '../../src/kernel/index.ts'
import { until } from '../live/harness.ts'
import { buildPeople as build } from './app.ts'

const facts = { client: 'native', deviceName: null, ip: null, userAgent: null } as const

async function authenticate (app: FastifyInstance, token: string) {
  return await app.authenticator().authenticate({ token, requestId: null, ip: null, userAgent: null })
}

/** Code of the error, or `ok`. */
async function outcome (work: Promise<unknown>): Promise<string> {
  return await work.then(() => 'ok', (error: unknown) => isDomainError(error) ? error.code : String(error))
}

/** A second process of the same installation. */
async function neighbour (t: Parameters<typeof build>[0], app: FastifyInstance, masterKeys: string) {
  return await build(t, {
    config: { MONGO_DB: app.db.databaseName, KEY_PREFIX: app.redisKey('').slice(0, -1), MASTER_KEYS: masterKeys }
  })
}

const newMasterKeys = (id: string): string => `${id}:${randomBytes(32).toString('hex')}`

function sessionKey (app: FastifyInstance, { userId, actor }: QuickPerson): string {
  return app.redisKey(`identity:s:{${userId}}:${String(actor.sessionId)}`)
}

const app = await build(t)

t.test('a flow is finished once, however many verify it at once', async (t) => {
  const app = await build(t)
  const { flowId } = await app.identity.register({ email: 'race@example.org', displayName: 'Race' })
  const code = (await app.identity.codeMail(flowId))?.code ?? ''
  const outcomes = await Promise.all(Array.from({ length: 20 }, async () =>
    await outcome(app.identity.verifyRegistration(flowId, code, facts))))
  t.equal(outcomes.filter((one) => one === 'ok').length, 1)
  t.same(
    [...new Set(outcomes)].filter((one) => !['ok', 'identity.flow_invalid', 'identity.code_wrong'].includes(one)), []
  )
  for (const name of ['users', 'workspaces', 'members', 'sessions']) {
    t.equal(await app.db.collection(`identity.${name}`).countDocuments(), 1, name)
  }
})

t.test('the sixth try of a code is refused even if it is right', async (t) => {
  const { flowId } = await app.identity.register({ email: 'six@example.org', displayName: 'Six' })
  const code = (await app.identity.codeMail(flowId))?.code ?? ''
  const wrong = code === '111111' ? '222222' : '111111'
  const guesses = await Promise.all(Array.from({ length: 5 }, async () =>
    await outcome(app.identity.verifyRegistration(flowId, wrong, facts))))
  t.same(guesses, Array(5).fill('identity.code_wrong'))
  t.equal(await outcome(app.identity.verifyRegistration(flowId, code, facts)), 'identity.code_wrong')
})

t.test('two registrations of one address make one account', async (t) => {
  const app = await build(t)
  const flows = await Promise.all([1, 2].map(async () => await app.identity.register({
    email: 'two@example.org', displayName: 'Two'
  })))
  const outcomes = await Promise.all(flows.map(async ({ flowId }) =>
    await outcome(app.identity.verifyRegistration(flowId, (await app.identity.codeMail(flowId))?.code ?? '', facts))))
  t.same(outcomes.sort(), ['identity.flow_invalid', 'ok'])
  t.equal(await app.db.collection('identity.users').countDocuments(), 1)
  t.equal(await app.db.collection('identity.workspaces').countDocuments(), 1, 'the loser leaves nothing behind')
})

t.test('refresh follows its table', async (t) => {
  await t.test('50 racers get the same token, and one step is made', async (t) => {
    const ann = await quickSignIn(app)
    const pairs = await Promise.all(Array.from(
      { length: 50 }, async () => await app.identity.refresh(ann.refreshToken)
    ))
    t.equal(new Set(pairs.map(({ refreshToken }) => refreshToken)).size, 1)
    t.equal(await app.redis.hget(sessionKey(app, ann), 'n'), '2')
    for (const { accessToken } of pairs.slice(0, 3)) t.equal((await authenticate(app, accessToken)).userId, ann.userId)
  })

  await t.test('a lost answer is repeated as long as nobody used the new pair', async (t) => {
    const ann = await quickSignIn(app)
    const lost = await app.identity.refresh(ann.refreshToken)
    await app.redis.hset(sessionKey(app, ann), 'rotatedAt', String(app.clock.ms() - 3_600_000))
    const again = await app.identity.refresh(ann.refreshToken)
    t.equal(again.refreshToken, lost.refreshToken)
  })

  await t.test('an old token after the new pair was used ends the session', async (t) => {
    const ann = await quickSignIn(app)
    const next = await app.identity.refresh(ann.refreshToken)
    await authenticate(app, next.accessToken)
    await app.redis.hset(sessionKey(app, ann), 'rotatedAt', String(app.clock.ms() - 11_000))
    t.equal(await outcome(app.identity.refresh(ann.refreshToken)), 'identity.session_ended')
    t.equal(await outcome(app.identity.refresh(next.refreshToken)), 'identity.session_ended')
    t.equal(await outcome(authenticate(app, next.accessToken)), 'identity.session_ended')
    const rows = app.db.collection<{ _id: string, reason: string }>('identity.sessions')
    const row = await rows.findOne({ _id: String(ann.actor.sessionId) })
    t.equal(row?.reason, 'reuse')
  })

  await t.test('a counter ahead of ours is adopted: we issued it and lost it', async (t) => {
    const ann = await quickSignIn(app)
    const second = await app.identity.refresh(ann.refreshToken)
    const third = await app.identity.refresh(second.refreshToken)
    await app.redis.hset(sessionKey(app, ann), 'n', '1')
    await app.identity.refresh(third.refreshToken)
    t.equal(await app.redis.hget(sessionKey(app, ann), 'n'), '4')
  })

  await t.test('a token with a wrong MAC changes nothing', async (t) => {
    const ann = await quickSignIn(app)
    const bytes = Buffer.from(ann.refreshToken.slice(5), 'base64url')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      t.equal(await outcome(app.identity.refresh(`syr1.${changed.toString('base64url')}`)), 'identity.token_invalid')
    }
    for (const junk of [
      '', 'syr1.', ann.refreshToken.slice(0, -1), `${ann.refreshToken}A`, ann.accessToken, 'syr1.____'
    ]) {
      t.equal(await outcome(app.identity.refresh(junk)), 'identity.token_invalid', junk.slice(0, 12))
    }
    t.equal(await outcome(app.identity.refresh(ann.refreshToken)), 'ok')
  })
})

t.test('only our own access tokens are taken', async (t) => {
  const ann = await quickSignIn(app)
  const [head = '', body = '', mac = ''] = ann.accessToken.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }
  const json = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { privateKey } = await generateKeyPair('EdDSA')
  const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid }).sign(privateKey)
  const unknown = await new SignJWT(claims).setProtectedHeader({
    alg: 'EdDSA', typ: 'at+jwt', kid: 'other'
  }).sign(privateKey)
  const symmetric = await new SignJWT(claims).setProtectedHeader({
    alg: 'HS256', typ: 'at+jwt', kid
  }).sign(randomBytes(32))
  const bad = {
    forged, unknown, symmetric,
    none: `${json({ alg: 'none', typ: 'at+jwt', kid })}.${body}.`,
    unsigned: `${json({ alg: 'none', typ: 'at+jwt', kid })}.${body}.${mac}`,
    otherType: `${json({ alg: 'EdDSA', typ: 'JWT', kid })}.${body}.${mac}`,
    critical: `${json({ alg: 'EdDSA', typ: 'at+jwt', kid, crit: ['x'], x: 1 })}.${body}.${mac}`,
    jku: `${json({ alg: 'EdDSA', typ: 'at+jwt', kid, jku: 'https://example.org' })}.${body}.${mac}`,
    otherClaims: `${head}.${json({ ...claims, wid: 'x' })}.${mac}`,
    asJson: JSON.stringify({ protected: head, payload: body, signature: mac }),
    long: `${ann.accessToken}${'A'.repeat(5000)}`,
    refresh: ann.refreshToken,
    words: 'not a token'
  }
  await authenticate(app, ann.accessToken)
  for (const [name, token] of Object.entries(bad)) {
    t.equal(await outcome(authenticate(app, token)), 'identity.token_invalid', name)
  }
  for (let at = 0; at < ann.accessToken.length; at += 23) {
    const char = ann.accessToken[at] === 'x' ? 'y' : 'x'
    const changed = ann.accessToken.slice(0, at) + char + ann.accessToken.slice(at + 1)
    if (ann.accessToken[at] !== '.') {
      t.equal(
        await outcome(authenticate(app, changed)), 'identity.token_invalid', `byte ${at}`
      )
    }
  }
})

t.test('the use of a session is written down at most once in 15 minutes', async (t) => {
  const ann = await quickSignIn(app)
  const rows = app.db.collection<{ _id: string, n: number }>('identity.sessions')
  const stored = async () => (await rows.findOne({ _id: String(ann.actor.sessionId) }))?.n
  const second = await app.identity.refresh(ann.refreshToken)
  await authenticate(app, second.accessToken)
  t.equal(await stored(), 1, 'young: only Redis knows')
  await app.redis.hset(sessionKey(app, ann), 'flushedAt', String(app.clock.ms() - 16 * 60_000))
  const third = await app.identity.refresh(second.refreshToken)
  await authenticate(app, third.accessToken)
  await until(async () => await stored() === 3)
  const fourth = await app.identity.refresh(third.refreshToken)
  await authenticate(app, fourth.accessToken)
  t.equal(await stored(), 3)
})

t.test('tokens, passwords and codes appear in no log', async (t) => {
  const { stdout, secrets } = await runLogged()
  t.match(stdout, /"level":/, 'something was logged')
  t.ok(Object.keys(secrets).length >= 6)
  t.match(stdout, /refreshTokens|tokens\/refresh/)
  for (const [name, secret] of Object.entries(secrets)) {
    for (const form of [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('hex')]) {
      t.notOk(stdout.includes(form), name)
    }
  }
})

/** A process that logs all it can while somebody uses it: its log, and what may not stand there. */
async function runLogged () {
  const child = new URL('log-child.ts', import.meta.url).pathname
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [child], {
    env: testEnvironment({ LOG_LEVEL: 'trace' }), maxBuffer: 50_000_000
  })
  return { stdout, secrets: JSON.parse(stderr.trim().split('\n').at(-1) ?? '{}') as Record<string, string> }
}

t.test('racing logins leave ten sessions', async (t) => {
  const { userId, workspaceId } = await quickSignIn(app)
  const opened = await Promise.all(Array.from({ length: 30 }, async () => await app.identity.openSession({
    userId, workspaceId, pv: 1, amr: ['pwd'], mustChangePassword: false, facts
  })))
  t.equal(await app.db.collection('identity.sessions').countDocuments({ userId, revokedAt: null }), 10)
  const alive = await Promise.all(opened.map(async ({ accessToken }) => await outcome(authenticate(app, accessToken))))
  t.equal(alive.filter((one) => one === 'ok').length, 10)
  t.equal(await app.redis.zcard(app.redisKey(`identity:us:{${userId}}`)), 10)
})

t.test('an emptied Redis logs nobody out and brings nobody back', async (t) => {
  const masterKeys = newMasterKeys('a')
  const app = await build(t, { config: { MASTER_KEYS: masterKeys } })
  const [kept, left] = [await quickSignIn(app), await quickSignIn(app)]
  const next = await app.identity.refresh(kept.refreshToken)
  await app.identity.logOut(left.actor)
  const keys = await app.redis.keys(app.redisKey('identity:*'))
  await app.redis.del(keys)
  const other = await neighbour(t, app, masterKeys)
  t.equal((await authenticate(other, next.accessToken)).userId, kept.userId)
  t.equal(await outcome(authenticate(other, left.accessToken)), 'identity.session_ended')
  t.equal(await outcome(other.identity.refresh(left.refreshToken)), 'identity.session_ended')
  t.equal(await outcome(other.identity.refresh(next.refreshToken)), 'ok')
})

t.test('with Redis away requests are checked against MongoDB, and no session ends', async (t) => {
  const masterKeys = newMasterKeys('a')
  const app = await build(t, { config: { MASTER_KEYS: masterKeys } })
  const [ann, bob] = [await quickSignIn(app), await quickSignIn(app)]
  const other = await neighbour(t, app, masterKeys)
  await app.identity.logOut(bob.actor)
  other.redis.disconnect()
  t.equal(await outcome(authenticate(other, ann.accessToken)), 'ok')
  t.equal(await outcome(authenticate(other, bob.accessToken)), 'identity.session_ended')
  await other.redis.connect()
  app.redis.disconnect()
  t.equal(await outcome(app.identity.refresh(ann.refreshToken)), 'identity.store_unavailable')
  t.equal(
    await outcome(app.identity.logIn({ email: ann.email, password: 'whatever it may be', client: 'web' }, facts)),
    'identity.store_unavailable'
  )
  // Without Redis the session ends in MongoDB; a Redis that comes back with its old hash does not undo it.
  await app.identity.logOut(ann.actor)
  await app.redis.connect()
  t.equal(await outcome(authenticate(app, ann.accessToken)), 'identity.session_ended')
  t.equal(await outcome(app.identity.refresh(ann.refreshToken)), 'identity.session_ended')
})

t.test('sealed bytes open only for their owner at their place', async (t) => {
  const masterKeys = newMasterKeys('a')
  const app = await build(t, { config: { MASTER_KEYS: masterKeys } })
  const plain = Buffer.from('the token of an account')
  const sealed = await app.keyRing.seal('account:1', plain, 'workspace 1 token')
  t.same(await app.keyRing.open('account:1', sealed, 'workspace 1 token'), plain)
  t.equal(await outcome(app.keyRing.open('account:1', sealed, 'workspace 2 token')), 'identity.cipher_invalid')
  await app.keyRing.seal('account:2', plain, 'x')
  t.equal(await outcome(app.keyRing.open('account:2', sealed, 'workspace 1 token')), 'identity.cipher_invalid')
  for (const at of [0, 1, 14, sealed.length - 1]) {
    const changed = Buffer.from(sealed)
    changed[at] = (changed[at] ?? 0) ^ 1
    t.equal(await outcome(app.keyRing.open('account:1', changed, 'workspace 1 token')), 'identity.cipher_invalid')
  }
  t.notOk(sealed.includes(plain), 'nothing of it is readable')

  const [first, second] = await Promise.all([1, 2].map(async (n) => await app.keyRing.seal(
    'account:3', Buffer.from(`${n}`), 'x'
  )))
  t.equal((await app.keyRing.open('account:3', first as Buffer, 'x')).toString(), '1')
  t.equal((await app.keyRing.open('account:3', second as Buffer, 'x')).toString(), '2')

  // After a change of master keys the old one still opens; without it the answer is honest.
  const fresh = newMasterKeys('b')
  const changed = await neighbour(t, app, `${fresh},${masterKeys}`)
  t.same(await changed.keyRing.open('account:1', sealed, 'workspace 1 token'), plain)
  const bare = await neighbour(t, app, fresh)
  t.equal(await outcome(bare.keyRing.open('account:1', sealed, 'workspace 1 token')), 'identity.key_unknown')
})
