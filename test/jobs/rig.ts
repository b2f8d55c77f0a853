// The lower floors alone, with jobs of the test: what runs here is the engine and nothing else.
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import cache from '../../plugins/cache.ts'
import errors from '../../plugins/errors.ts'
import events from '../../plugins/events.ts'
import mongo from '../../plugins/mongo.ts'
import { migrate } from '../../plugins/mongo/migrate.ts'
import pubsub from '../../plugins/pubsub.ts'
import queue from '../../plugins/queue.ts'
import type { OwnProcess, RuntimeLimits } from '../../plugins/queue/own-process.ts'
import telemetry from '../../plugins/telemetry.ts'
import jobsWorkers from '../../workers/jobs.ts'
import type { Declarations } from '../../src/kernel/index.ts'
import { testStores } from '../stores.ts'

export interface Place { mongoUrl: string, redisUrl: string, name: string }

export function newPlace (urls: Partial<Place> = {}): Place {
  return { ...testStores(), name: `j${randomBytes(6).toString('hex')}`, ...urls }
}

export interface RigOptions {
  place: Place
  role?: 'server' | 'worker'
  groups?: readonly string[]
  host?: string
  declared?: Omit<Declarations, 'domain'>
  bind?: (app: FastifyInstance) => void
  own?: OwnProcess
  limits?: Partial<RuntimeLimits>
  partitions?: number
  logLevel?: string
  /** Gets the lines of the log. */
  stream?: { write: (line: string) => void }
  /** Makes it ready, where that is more than usual. */
  ready?: (app: FastifyInstance) => Promise<unknown>
}

const usual = {
  role: 'worker', groups: ['io', 'cpu', 'keeper'], declared: {}, bind: () => undefined, partitions: 1,
  logLevel: 'silent', ready: async (app: FastifyInstance) => await app.ready()
} as const

/** An app of the lower floors, ready. */
export async function rig (options: RigOptions): Promise<FastifyInstance> {
  const {
    place, role, groups, host, declared, bind, own, limits, partitions, logLevel, stream, ready
  } = { ...usual, ...options }
  const app = Fastify({ logger: { level: logLevel, ...(stream && { stream }) } }) as unknown as FastifyInstance
  const redis = { url: place.redisUrl, prefix: place.name }
  await app.register(telemetry, { role, version: '0' })
  await app.register(errors)
  await app.register(
    mongo, { url: place.mongoUrl, database: place.name, role, ...(host === undefined ? {} : { host }) }
  )
  await app.register(cache, { ...redis, environment: 'test' })
  await app.register(pubsub, redis)
  await app.register(queue, {
    ...redis, role, groups: role === 'worker' ? groups : [], partitions, ...(own && { own }), ...(limits && { limits })
  })
  await app.register(events)
  app.declare({ domain: 'test', ...declared })
  if (role === 'worker') await app.register(jobsWorkers)
  bind(app)
  await app.after()
  await migrate({ url: place.mongoUrl, database: place.name }, app.registry.collections.values())
  await ready(app)
  return app
}

export async function dropPlace ({ mongoUrl, redisUrl, name }: Place): Promise<void> {
  const client = new MongoClient(mongoUrl)
  await client.db(name).dropDatabase()
  await client.close()
  const redis = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null }).on('error', () => undefined)
  // A test that fails while Redis is away is to say its own word.
  if (!await redis.connect().then(() => true, () => false)) return
  const keys = await redis.keys(`*${name}*`)
  if (keys.length > 0) await redis.unlink(...keys)
  await redis.quit()
}

/** Waits for a condition; throws with its name. */
export async function until (
  what: string, holds: () => Promise<boolean> | boolean, withinMs = 15_000
): Promise<number> {
  const sinceMs = performance.now()
  while (!await holds()) {
    if (performance.now() - sinceMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await sleep(10)
  }
  return performance.now() - sinceMs
}

/** What a hundred of these take one after the other, in ms, by the first twenty. */
export async function rowMs (one: (n: number) => Promise<unknown>): Promise<number> {
  const sinceMs = performance.now()
  for (let n = 0; n < 20; n++) await one(n)
  return 5 * (performance.now() - sinceMs)
}
