// Transactions with participants, sessions that can be ended from outside, the check of the schema at boot.
import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { MongoClient } from 'mongodb'
import t from 'tap'
import errors from '../../plugins/errors.ts'
import mongo from '../../plugins/mongo.ts'
import { createServerClock } from '../../plugins/mongo/clock.ts'
import { migrate } from '../../plugins/mongo/migrate.ts'
import telemetry from '../../plugins/telemetry.ts'
import { leaveNote, type CollectionDefinition } from '../../src/kernel/index.ts'
import { createProcessRepository } from '../../src/system/index.ts'
import { testStores } from '../stores.ts'

const { mongoUrl: url } = testStores()
const database = `m${randomBytes(6).toString('hex')}`
const things: CollectionDefinition = {
  name: 'test.things', indexes: [{ name: 'n', keys: { n: 1 }, unique: true }]
}

async function open (collections: readonly CollectionDefinition[]): Promise<FastifyInstance> {
  const app = Fastify() as unknown as FastifyInstance
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  await app.register(mongo, { url, database, role: 'server' })
  app.declare({ domain: 'test', collections })
  return app
}

t.teardown(async () => {
  const client = new MongoClient(url)
  await client.db(database).dropDatabase()
  await client.close()
})

t.test('a database on another schema is refused in one sentence, and migrate mends it', async (t) => {
  const app = await open([things])
  await t.rejects(async () => { await app.ready() }, /run npm run migrate/)
  await app.close()
  const first = await migrate({ url, database }, [...app.registry.collections.values()])
  t.ok(first.created.includes('test.things.n'))
  const again = await open([things])
  await again.ready()
  const second = await migrate({ url, database }, again.registry.collections.values())
  t.same(second.created, [], 'a second time changes nothing')
  const changed = { ...things, indexes: [{ name: 'n', keys: { n: -1 as const }, unique: true }] }
  t.same((await migrate({ url, database }, [changed])).rebuilt, ['test.things.n'])
  await migrate({ url, database }, [things])
  await again.close()
})

t.test('a store that nobody reaches is named without its secret', async (t) => {
  const bad = 'mongodb://ann:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200'
  const app = Fastify() as unknown as FastifyInstance
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  const error = await Promise.resolve(app.register(mongo, { url: bad, database, role: 'server' })).then(
    () => undefined, (error: Error) => error)
  t.match(error?.message, /127\.0\.0\.1:1/)
  t.notMatch(error?.message, /secret/)
  await app.close().catch(() => undefined)
})

t.test('participants run inside every attempt, and once after the commit', async (t) => {
  const app = await open([things])
  await app.ready()
  t.teardown(async () => { await app.close() })
  const key = Symbol('notes')
  const before: number[] = []
  const after: number[] = []
  app.tx.join({
    name: 'test',
    beforeCommit: async (_session, notes) => { before.push(notes.get(key)?.length ?? 0) },
    afterCommit: (notes) => {
      after.push(notes.get(key)?.length ?? 0)
      throw new Error('a failing participant changes no answer')
    }
  })
  const rows = app.db.collection<{ _id: string, n: number }>('test.things')
  await rows.insertOne({ _id: 'shared', n: -1 })
  let attempts = 0
  const answer = await app.tx(async (session) => {
    attempts++
    leaveNote(key, attempts)
    await rows.findOne({ _id: 'shared' }, { session })
    // Somebody else is faster: a write conflict, and the transaction is repeated.
    if (attempts === 1) await rows.updateOne({ _id: 'shared' }, { $inc: { n: -1 } })
    await rows.updateOne({ _id: 'shared' }, { $inc: { n: -1 } }, { session })
    return 'yes'
  })
  t.equal(answer, 'yes')
  t.equal(attempts, 2)
  t.same(before, [1], 'notes are emptied before each attempt; the first attempt never came so far')
  t.same(after, [1])
  t.equal((await rows.findOne({ _id: 'shared' }))?.n, -3)
  await t.rejects(app.tx(async (session) => {
    await rows.insertOne({ _id: 'never', n: 7 }, { session })
    throw new Error('no')
  }))
  t.equal(after.length, 1)
  t.equal(await rows.findOne({ _id: 'never' }), null)
})

t.test('the transaction of a process that is gone is ended at the next start on its host', async (t) => {
  const dead = await open([things])
  await dead.ready()
  const rows = dead.db.collection<{ _id: string, n: number }>('test.things')
  await rows.insertOne({ _id: 'held', n: 100 })
  const release = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  const cut = dead.tx(async (session) => {
    await rows.updateOne({ _id: 'held' }, { $inc: { n: 1 } }, { session })
    entered.resolve()
    await release.promise
    throw new Error('it never commits')
  })
  cut.catch(() => undefined)
  await entered.promise
  // Written down as a process that no longer runs.
  await dead.db.collection<{ _id: string }>('sys.processes')
    .updateOne({ _id: dead.processes.id }, { $set: { startedAt: 1 } })

  const next = await open([things])
  await next.ready()
  const sinceMs = performance.now()
  await next.db.collection<{ _id: string }>('test.things')
    .updateOne({ _id: 'held' }, { $inc: { n: 10 } }, { maxTimeMS: 5000 })
  t.ok(performance.now() - sinceMs < 2000, 'its document is free')
  const left = await createProcessRepository(next.db).list()
  t.notOk(left.some(({ id, startedAt }) => id === dead.processes.id && startedAt === 1), 'it is forgotten')
  release.resolve()
  await t.rejects(cut)
  await next.close()
  await dead.close()
})

const serverMs = async ({ db }: FastifyInstance): Promise<number> =>
  (await db.admin().command({ hello: 1 }) as { localTime: Date }).localTime.getTime()

t.test('the clock is the server\'s, whatever the wall clock of the host says', async (t) => {
  const app = await open([things])
  await app.ready()
  t.teardown(async () => { await app.close() })
  const wallClock = t.capture(Date, 'now', () => performance.timeOrigin + performance.now() + 3_600_000)
  const clock = createServerClock(app.db)
  wallClock.restore()
  t.ok(clock.ms() - await serverMs(app) > 3_500_000, 'the wall clock, before the first sync')
  await clock.sync()
  t.ok(Math.abs(clock.ms() - await serverMs(app)) < 500)
})

t.test('an answer that a busy process sees late does not move the clock', async (t) => {
  const app = await open([things])
  await app.ready()
  t.teardown(async () => { await app.close() })
  const clock = createServerClock(app.db)
  await clock.sync()
  const before = clock.ms() - performance.now()
  const synced = clock.sync()
  // The question is sent, and its answer waits while this process does something else.
  await nextTurn()
  const untilMs = performance.now() + 800
  while (performance.now() < untilMs);
  await synced
  t.ok(Math.abs(clock.ms() - performance.now() - before) < 100, 'half of the 800 ms would be the error')
  t.ok(Math.abs(clock.ms() - app.clock.ms()) < 100, 'two clocks of a process agree')
})
