import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import t from 'tap'
import cache from '../../plugins/cache.ts'
import errors from '../../plugins/errors.ts'
import telemetry from '../../plugins/telemetry.ts'
import { ownRedis } from '../live/own-redis.ts'
import { startOldRedis } from '../stand-ins/old-redis.ts'
import { testStores } from '../stores.ts'

interface Teardown { teardown (undo: () => unknown): unknown }

async function boot (t: Teardown, { url = testStores().redisUrl, environment = 'test', offline = false } = {}) {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  await app.register(cache, { url, prefix: `c${randomBytes(6).toString('hex')}`, environment, offline })
  await app.ready()
  return app
}

t.test('values live for their time, and one loader fills a key for all who ask', async (t) => {
  const app = await boot(t)
  t.equal(app.redisKey('x').endsWith(':x'), true)
  await app.cache.set('a', '1', 60_000)
  t.equal(await app.cache.get('a'), '1')
  await app.cache.delete('a')
  t.equal(await app.cache.get('a'), null)
  let loads = 0
  const load = async () => ({ n: ++loads })
  const all = await Promise.all(Array.from({ length: 20 }, async () => await app.cache.getOrSet('b', 60_000, load)))
  t.same(all, Array.from({ length: 20 }, () => ({ n: 1 })))
  t.same(await app.cache.getOrSet('b', 60_000, load), { n: 1 })
  await app.cache.delete('b')
})

t.test('a script runs under our prefix, also after the server forgot it', async (t) => {
  const app = await boot(t)
  const script = { name: 'test.echo', lua: 'return {KEYS[1], ARGV[1]}' }
  t.same(await app.scripts.run(script, ['k'], [7]), [app.redisKey('k'), '7'])
  await app.redis.script('FLUSH')
  t.same(await app.scripts.run(script, ['k'], [8]), [app.redisKey('k'), '8'])
})

t.test('a Redis that may lose queued work is refused in one sentence', async (t) => {
  const redis = await ownRedis(t)
  await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await t.rejects(boot(t, { url: redis.url }), /jobs\.redis_policy.*allkeys-lru; set noeviction/)
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction')
  await redis.client.config('SET', 'appendonly', 'no')
  await t.rejects(boot(t, { url: redis.url, environment: 'production' }), /jobs\.redis_policy.*append-only/)
  await boot(t, { url: redis.url, environment: 'development' })
  await redis.client.config('SET', 'appendonly', 'yes')
  await redis.client.config('SET', 'appendfsync', 'no')
  await t.rejects(boot(t, { url: redis.url, environment: 'production' }), /jobs\.redis_policy.*set appendfsync everysec/)
  await redis.client.config('SET', 'appendfsync', 'everysec')
  await boot(t, { url: redis.url, environment: 'production' })
  const other = await ownRedis(t)
  await redis.client.replicaof('127.0.0.1', Number(new URL(other.url).port))
  await t.rejects(boot(t, { url: redis.url }), /jobs\.redis_policy.*replica/)
  const old = await startOldRedis('6.2.14')
  t.teardown(old.close)
  await t.rejects(boot(t, { url: old.url }), /jobs\.redis_policy.*6\.2\.14 is older than 7/)
})

t.test('an address where nobody answers is named without its secret; offline asks nobody', async (t) => {
  const error = await boot(t, { url: 'redis://:hidden@127.0.0.1:1' }).then(() => null, (thrown: Error) => thrown)
  t.match(error?.message, /no Redis answers at 127\.0\.0\.1:1\. Start one/)
  t.notMatch(error?.message, /hidden/)
  const app = await boot(t, { url: 'redis://127.0.0.1:1', offline: true })
  t.type(app.cache.get, 'function')
})
