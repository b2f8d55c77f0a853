// The one way to find and start the stores: `npm start`, `npm run demo`, the tests and the benches come here.
import { resolve } from 'node:path'
import { findMongod, findRedis } from './services/binaries.ts'
import type { Held } from './services/hold.ts'
import { lockFolder } from './services/lock.ts'
import { mongoStore } from './services/mongo.ts'
import { portFor } from './services/ports.ts'
import { markOf } from './services/processes.ts'
import type { Say } from './services/program.ts'
import { redisStore } from './services/redis.ts'
import { launch, type Store } from './services/store.ts'

export interface StoreOptions {
  /** Data folder; one owner at a time. */
  dir: string
  /** Redis keeps an append-only file. */
  persist: boolean
  ports?: Record<string, number>
  env?: Record<string, string | undefined>
  say?: Say
}

export interface Services {
  mongoUrl: string
  redisUrl: string
  pids: { mongo: number, redis: number }
  stop: () => Promise<void>
}

/** The stores of a folder, found but not started, on the folder's own ports where these are free. */
export async function findStores (options: StoreOptions): Promise<[Store, Store]> {
  const { dir, persist, ports = {}, env = process.env, say = toStderr } = options
  const mongod = await findMongod(env, say)
  const redis = await findRedis(env, say)
  const mongoPort = await portFor(`${dir} mongo`, ports['mongo'])
  const redisPort = await portFor(`${dir} redis`, ports['redis'])
  return [
    mongoStore(mongod, dir, mongoPort),
    redisStore(redis, dir, redisPort, persist ? 'append-only' : 'nothing')
  ]
}

/** Starts MongoDB and Redis in a folder. Throws one sentence; then nothing is left running. */
export async function startServices (options: StoreOptions): Promise<Services> {
  const dir = resolve(options.dir)
  const lock = await lockFolder(dir, 'the stores')
  const running: Held[] = []
  async function stop (): Promise<void> {
    await Promise.all(running.map(async (held) => { await held.stop() }))
    lock.release()
  }

  try {
    const stores = await findStores({ ...options, dir, ports: lock.ports })
    const [mongo, redis] = await launchAll(stores, running)
    const parts = [markOf('mongo', mongo.pid), markOf('redis', redis.pid)]
    lock.note({ ports: { mongo: stores[0].port, redis: stores[1].port }, parts })
    return { mongoUrl: stores[0].url, redisUrl: stores[1].url, pids: { mongo: mongo.pid, redis: redis.pid }, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function launchAll (stores: [Store, Store], running: Held[]): Promise<[Held, Held]> {
  const starts = stores.map(async (store) => {
    const held = await launch(store)
    running.push(held)
    return held
  })
  await Promise.allSettled(starts)
  return await Promise.all(starts) as [Held, Held]
}

function toStderr (line: string): void {
  process.stderr.write(`${line}\n`)
}
