import fastifyRedis from '@fastify/redis'
import fp from 'fastify-plugin'
import { Gauge, type Registry } from 'prom-client'
import type { Redis } from 'ioredis'
import type { Cache, ScriptRunner } from '../src/kernel/index.ts'
import { createClient, hostOf, primariesOf } from './cache/client.ts'
import { checkPolicy } from './cache/policy.ts'
import { createScriptRunner } from './cache/scripts.ts'
import { createCache } from './cache/verbs.ts'

export interface CacheOptions { url: string, prefix: string, environment: string, offline?: boolean }

declare module 'fastify' {
  interface FastifyInstance {
    /** The name of a key of this installation. */
    redisKey: (name: string) => string
    cache: Cache
    scripts: ScriptRunner
  }
}

/** Commands fail after this, so that nobody waits for a store that is gone. */
const commandTimeout = 4000

export default fp<CacheOptions>(async function cache (app, { url, prefix, environment, offline = false }) {
  const redisKey = (name: string): string => `${prefix}:${name}`
  const client = createClient(url, {
    lazyConnect: true,
    connectTimeout: 3000,
    commandTimeout,
    maxRetriesPerRequest: 3,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 1000)
  })
  client.on('error', (error) => { app.log.debug({ err: error }, 'redis connection') })
  app.decorate('redisKey', redisKey)
  app.decorate('cache', createCache(client, redisKey))
  app.decorate('scripts', createScriptRunner(client, redisKey))

  if (offline) {
    app.decorate('redis', client as typeof app.redis)
    app.addHook('onClose', () => { client.disconnect() })
    return
  }
  await reach(client, url)
  await app.register(fastifyRedis, { client, closeClient: true })
  for (const primary of primariesOf(client)) {
    const warning = await checkPolicy(primary, environment)
    if (warning !== null) app.log.warn(warning)
  }
  exposeMemory(app.metrics, client)
  app.healthChecks.add({
    name: 'redis', critical: true, timeoutMs: 2000, check: async () => { await client.ping() }
  })
}, { name: 'cache', dependencies: ['telemetry', 'errors'] })

async function reach (client: Redis, url: string): Promise<void> {
  try {
    // A first refusal is final here: whoever starts us waits for the store itself.
    await Promise.race([client.connect(), refusalOf(client)])
    await client.ping()
  } catch (cause) {
    client.disconnect()
    throw new Error(`REDIS_URL: no Redis answers at ${hostOf(url)}. Start one, or correct the address.`, { cause })
  }
}

async function refusalOf (client: Redis): Promise<never> {
  return await new Promise((_resolve, reject) => { client.once('error', reject) })
}

function exposeMemory (metrics: Registry, client: Redis): void {
  const memory = new Gauge({
    name: 'switchyard_redis_memory_bytes',
    help: 'Memory of Redis, of all primaries of a cluster',
    registers: [],
    async collect () {
      const told = await Promise.all(primariesOf(client).map(async (primary) => await primary.info('memory')))
        .catch(() => undefined)
      // Where Redis is away the figure is an old one, and its own check says so.
      if (told === undefined) return
      this.set(told.reduce((sum, text) => sum + Number(/used_memory:(\d+)/.exec(text)?.[1] ?? 0), 0))
    }
  })
  metrics.registerMetric(memory)
}
