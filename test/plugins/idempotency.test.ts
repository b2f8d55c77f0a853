import t from 'tap'
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import { MongoClient } from 'mongodb'
import idempotency from '../../plugins/http/idempotency.ts'
import mongo from '../../plugins/mongo.ts'
import { migrate } from '../../plugins/index.ts'
import { DomainError, HttpError } from '../../src/kernel/index.ts'
import { testEnvironment } from '../helper.ts'
import { Body, floor, mine, words } from './floor.ts'

const { MONGO_URL: url = '', MONGO_DB: database = '' } = testEnvironment()
const client = new MongoClient(url)
const db = client.db(database)
t.teardown(async () => {
  await db.dropDatabase()
  await client.close()
})

/** A floor over a real store, whose `effect` writes one row in a transaction. */
async function app (
  t: Parameters<typeof floor>[0], routes: (app: FastifyInstance, effect: () => Promise<void>) => void
) {
  const stores = fp(async (app: FastifyInstance) => { await app.register(mongo, { url, database, role: 'server' }) })
  return await floor(t, (child) => {
    routes(child, async () => {
      await child.tx(
        async (session) => { await child.db.collection('test.effects').insertOne({ at: new Date() }, { session }) }
      )
    })
  }, {}, {
    stores,
    more: async (app) => {
      await app.register(idempotency)
      await migrate({ url, database }, app.registry.collections.values())
      await app.db.createCollection('test.effects').catch(() => undefined)
    }
  })
}

const effects = async () => await db.collection('test.effects').countDocuments()

function caller (app: FastifyInstance, path: string, token = 'ann') {
  return async (key: string | undefined, name = 'a') => await app.inject({
    method: 'POST',
    url: path,
    payload: { name },
    headers: { authorization: `Bearer ${token}`, ...(key === undefined ? {} : { 'idempotency-key': key }) }
  })
}

t.test('a key has one effect: parallel, repeated, and for nobody else', async (t) => {
  const server = await app(t, (child, effect) => {
    child.post('/once', {
      schema: { ...words(), body: Body }, config: { ...mine, limit: 'write', idempotency: 'required' }
    },
    async (_request, reply) => {
      await effect()
      return await reply.code(201).header('location', '/once/1').send({ made: 1 })
    })
  })
  const call = caller(server, '/once')
  t.match((await call(undefined)).json(), { status: 400, code: 'http.idempotency_key_missing' })
  t.match((await call('x'.repeat(256))).json(), { status: 400, code: 'http.bad_request' })

  const answers = await Promise.all(Array.from({ length: 20 }, async () => await call('one')))
  t.equal(await effects(), 1)
  for (const answer of answers) t.ok([201, 409].includes(answer.statusCode))
  t.match(answers.find(({ statusCode }) => statusCode === 409)?.json(), {
    code: 'http.idempotency_in_progress', retryAfterMs: 1000
  })

  const again = await call('"one"')
  t.match(
    again, { statusCode: 201, body: '{"made":1}', headers: { 'idempotency-replayed': 'true', location: '/once/1' } }
  )
  t.match(again.headers['content-type'], /^application\/json/)
  t.match((await call('one', 'other')).json(), { status: 422, code: 'http.idempotency_key_reused' })
  t.equal(await effects(), 1)
  t.equal((await caller(server, '/once', 'old')('one')).headers['idempotency-replayed'], undefined)
  t.equal(await effects(), 2, 'the key of somebody else is another key')
})

t.test('what had no effect releases its key; what the domain refused is refused again', async (t) => {
  const before = await effects()
  let failures = 0
  const server = await app(t, (child, effect) => {
    child.post('/flaky', {
      schema: { ...words(), body: Body }, config: { ...mine, limit: 'write', idempotency: 'optional' }
    },
    async (request) => {
      if ((request.body as { name: string }).name === 'no') {
        throw new DomainError(
          { ...HttpError.internal.definition, code: 'test.no', status: 409, kind: 'conflict' }, {}, {}
        )
      }
      if (failures++ === 0) throw new Error('once')
      await effect()
      return { made: 1 }
    })
  })
  const call = caller(server, '/flaky')
  t.equal((await call('two')).statusCode, 500)
  t.equal((await call('two')).statusCode, 200)
  t.equal((await call('two')).headers['idempotency-replayed'], 'true')
  t.equal(await effects(), before + 1)
  t.match((await call('three', 'no')).json(), { code: 'test.no' })
  t.equal((await call('three', 'no')).headers['idempotency-replayed'], 'true')
  t.equal((await call(undefined)).statusCode, 200, 'without a key nothing is kept')
})

t.test('a crash between effect and answer cannot repeat the effect', async (t) => {
  const before = await effects()
  let shouldCrash = true
  const server = await app(t, (child, effect) => {
    child.post('/crash', {
      schema: { ...words(), body: Body }, config: { ...mine, limit: 'write', idempotency: 'optional', timeoutMs: 1500 }
    },
    async () => {
      await effect()
      if (shouldCrash) await new Promise(() => {})
      return { made: 1 }
    })
  })
  const call = caller(server, '/crash')
  t.match((await call('four')).json(), { code: 'http.deadline_exceeded' })
  t.equal(await effects(), before + 1)
  shouldCrash = false
  t.match((await call('four')).json(), { code: 'http.idempotency_in_progress' })
  await db.collection('sys.idempotency_keys').updateMany({ state: 'effected' }, { $set: { lockedUntil: new Date(0) } })
  const answer = await call('four')
  t.match(answer, { statusCode: 303, headers: { location: '/crash' } })
  t.equal(await effects(), before + 1)
})

t.test('a request whose lock was taken over has no effect any more', async (t) => {
  const before = await effects()
  const first = Promise.withResolvers<undefined>()
  const entered = Promise.withResolvers<undefined>()
  let calls = 0
  const server = await app(t, (child, effect) => {
    child.post('/zombie', {
      schema: { ...words(), body: Body }, config: { ...mine, limit: 'write', idempotency: 'optional' }
    },
    async () => {
      if (calls++ === 0) {
        entered.resolve(undefined)
        await first.promise
      }
      await effect()
      return { made: 1 }
    })
  })
  const call = caller(server, '/zombie')
  const zombie = call('five')
  await entered.promise
  await db.collection('sys.idempotency_keys').updateMany({ state: 'running' }, { $set: { lockedUntil: new Date(0) } })
  t.equal((await call('five')).statusCode, 200)
  first.resolve(undefined)
  t.match((await zombie).json(), { code: 'http.idempotency_in_progress' })
  t.equal(await effects(), before + 1)
})
