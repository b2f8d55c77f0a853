// What every test of the product starts from: an app on its own database and key prefix, gone when the test ends.
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { buildApp, migrate, type Group } from '../plugins/index.ts'
import { loadConfig, type EnvName } from '../src/config/index.ts'
import { testStores } from './stores.ts'

export { quickSignIn, type QuickPerson } from './identity/people.ts'
export { signIn, type SignedIn } from './sign-in.ts'

export interface BuildOptions {
  /** `both` also builds a worker in this process: `app.worker`. Default `server`. */
  role?: 'server' | 'worker' | 'both'
  groups?: readonly Group[]
  /** Variables of the environment that differ from those of `testEnvironment`. */
  config?: Partial<Record<EnvName, string>>
}

export interface TestApp extends FastifyInstance { worker: FastifyInstance }

interface Teardown { teardown (undo: () => unknown): unknown }

/** Variables of a test: stores of the run, names of its own, limits out of the way. */
export function testEnvironment (changes: Partial<Record<EnvName, string>> = {}): Record<string, string> {
  const { mongoUrl, redisUrl } = testStores()
  const name = `t${randomBytes(6).toString('hex')}`
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'silent',
    HTTP_PORT: '0',
    HTTP_LIMIT_SCALE: '1000',
    HTTP_FLOOD_PER_MIN: '10000000',
    HTTP_MEDIA_PER_MIN: '10000000',
    MONGO_URL: mongoUrl,
    MONGO_DB: name,
    REDIS_URL: redisUrl,
    KEY_PREFIX: name,
    DATA_DIR: join(tmpdir(), `switchyard-${name}`),
    MASTER_KEYS: `test:${randomBytes(32).toString('hex')}`,
    MAIL_DRIVER: 'capture',
    ...changes
  }
}

/** An app that is ready, over the real stores; closed and dropped when the test ends. */
export async function build (
  t: Teardown, { role = 'server', groups, config: changes = {} }: BuildOptions = {}
): Promise<TestApp> {
  const environment = testEnvironment(changes)

  const config = loadConfig(environment)
  const opened: FastifyInstance[] = []
  t.teardown(async () => {
    for (const app of opened.reverse()) await app.close()
    await drop(environment)
  })
  const some = groups === undefined ? {} : { groups }
  const app = await buildApp({ role: role === 'worker' ? 'worker' : 'server', config, ...some })
  opened.push(app)
  await migrate(config.mongo, app.registry.collections.values())
  await app.ready()
  if (role !== 'both') return Object.assign(app, { worker: app })
  const worker = await buildApp({ role: 'worker', config, ...some })
  opened.push(worker)
  await worker.ready()
  return Object.assign(app, { worker })
}

async function drop ({ MONGO_URL, MONGO_DB, REDIS_URL, KEY_PREFIX, DATA_DIR }: Record<string, string>): Promise<void> {
  const mongo = new MongoClient(MONGO_URL as string)
  await mongo.db(MONGO_DB).dropDatabase()
  await mongo.close()
  const redis = new Redis(REDIS_URL as string)
  for await (const keys of redis.scanStream({ match: `*${KEY_PREFIX}*`, count: 1000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(...keys)
  }
  await redis.quit()
  rmSync(DATA_DIR as string, { recursive: true, force: true })
}

/** Every process has its own estimate of the time of the database. */
const skewMs = 500
const atWork = ['pending', 'published', 'running']

/** Waits until no run is due or at work any more. Throws after the time with what still stands. */
export async function drain (app: FastifyInstance, { timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
  const runs = app.db.collection<{ name: string, state: string, runAt?: Date, error?: unknown }>('jobs.runs')
  const until = performance.now() + timeoutMs
  const due = () => ({ state: { $in: atWork }, runAt: { $lte: new Date(app.clock.ms() + skewMs) } })
  for (let quiet = 0; quiet < 2;) {
    quiet = await runs.countDocuments(due(), { limit: 1 }) === 0 ? quiet + 1 : 0
    if (quiet === 2) return
    if (performance.now() > until) {
      const rest = await runs.find(due()).limit(5).toArray()
      const told = rest.map(({ name, state }) => `${name} ${state}`)
      throw new Error(`not quiet after ${timeoutMs} ms: ${told.join(', ')}`)
    }
    await sleep(15)
  }
}

/** A test counts what it started: no slot of the house's own timetable falls into it, whenever it runs. */
export function withoutTimetable (app: FastifyInstance): void {
  const schedules = app.registry.schedules as Map<string, unknown>
  for (const name of schedules.keys()) if (!name.startsWith('test.')) schedules.delete(name)
}
