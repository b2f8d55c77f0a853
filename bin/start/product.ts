// The product as a set of processes over its stores: `npm start` and `npm run demo` run the same ones.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { createMasterKeys, loadConfig } from '../../src/config/index.ts'
import { findMongod, findRedis } from '../services/binaries.ts'
import { lockFolder, type FolderLock } from '../services/lock.ts'
import { mongoStore } from '../services/mongo.ts'
import { nextFree, portFor } from '../services/ports.ts'
import type { Say } from '../services/program.ts'
import { redisStore } from '../services/redis.ts'
import { processPart, storePart, type Part } from './part.ts'
import { createSupervisor, type Supervisor } from './supervisor.ts'

export interface ProductOptions {
  /** What runs, as the lock of the folder says it. */
  name: string
  env: NodeJS.ProcessEnv
  say: Say
  /** Mail address of the first operator of an empty store. */
  operator?: string
  /** Servers on ports of their own; the first is `server`, the next `server 2`. */
  servers?: number
}

export interface Operator { email: string, password: string }

export interface Product {
  supervisor: Supervisor
  /** What every process of the product gets: URLs of the stores, keys, data folder. */
  env: NodeJS.ProcessEnv
  /** Addresses of the servers. */
  addresses: string[]
  /** Address and one-time password of the first operator, when this start made it. */
  operator: Operator | undefined
  logs: string
  /** Starts one more process of the product, kept running like the rest. */
  addProcess: (name: string, file: string, args?: readonly string[], env?: NodeJS.ProcessEnv) => Promise<void>
  /** Stops servers, workers, stores in this order. */
  stop: () => Promise<void>
}

const root = join(import.meta.dirname, '../..')
const ports = { first: 7300, count: 20 }

/** Brings everything up and waits until it is ready. Throws one sentence; then nothing is left running. */
export async function startProduct (options: ProductOptions): Promise<Product> {
  const env = withDefaults(options.env)
  const lock = await lockFolder(env.DATA_DIR, options.name)
  const supervisor = createSupervisor({ say: options.say, onChange: (parts) => { lock.note({ parts }) } })
  async function stop (): Promise<void> {
    await stopInOrder(supervisor)
    lock.release()
  }

  try {
    return { ...await bringUp(options, env, lock, supervisor), supervisor, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Ports = Record<string, number>
type BaseEnv = NodeJS.ProcessEnv & { DATA_DIR: string, NODE_ENV: string }

function withDefaults (env: NodeJS.ProcessEnv): BaseEnv {
  // glibc keeps freed pixels of each thread's arena: two arenas are a third less memory in the worker that decodes.
  const NODE_ENV = env['NODE_ENV'] || 'development'
  return { MALLOC_ARENA_MAX: '2', ...env, NODE_ENV, DATA_DIR: resolve(env['DATA_DIR'] || '.data') }
}

async function bringUp (options: ProductOptions, base: BaseEnv, lock: FolderLock, supervisor: Supervisor) {
  const withKeys = { ...base, MASTER_KEYS: masterKeys(base) }
  loadConfig(withKeys)
  const { parts, urls, taken } = await embeddedStores(withKeys, lock.ports, options.say)
  lock.note({ ports: { ...lock.ports, ...taken } })
  await Promise.all(parts.map(async (part) => { await supervisor.add(part) }))

  const env = { ...withKeys, ...urls }
  const logs = join(base.DATA_DIR, 'logs')
  const [operator, listening] = await Promise.all([
    migrate(env, options.operator), serverPorts(env, options.servers ?? 1, lock.ports)
  ])
  lock.note({ ports: { ...lock.ports, ...taken, ...listening } })
  const addresses: string[] = []
  const processes = [
    ...Object.entries(listening).map(([name, port], index) => processPart({
      name,
      file: join(root, 'routes/server.ts'),
      env: { ...env, HTTP_PORT: String(port) },
      logs,
      onReady: ({ address }) => { addresses[index] = address ?? '' }
    })),
    ...[['io', 'keeper'], ['cpu']].map((groups) => processPart({
      name: `worker ${groups.join(' ')}`, file: join(root, 'workers/worker.ts'), args: groups, env, logs
    }))
  ]
  await Promise.all(processes.map(async (part) => { await supervisor.add(part) }))
  async function addProcess (name: string, file: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) {
    await supervisor.add(processPart({ name, file, args, env: { ...env, ...more }, logs }))
  }
  return { env, addresses, operator, logs, addProcess }
}

function masterKeys (env: BaseEnv): string | undefined {
  return env['MASTER_KEYS'] || (env.NODE_ENV === 'production' ? undefined : createMasterKeys(env.DATA_DIR))
}

interface Embedded { parts: Part[], urls: Record<string, string>, taken: Ports }

/** The stores whose URL is not given: found, and on the ports that they had before where these are free. */
async function embeddedStores (env: BaseEnv, before: Ports, say: Say): Promise<Embedded> {
  const embedded: Embedded = { parts: [], urls: {}, taken: {} }
  if (!env['MONGO_URL']) {
    const port = await portFor(`${env.DATA_DIR} mongo`, before['mongo'])
    const store = mongoStore(await findMongod(env, say), env.DATA_DIR, port)
    add(embedded, 'mongo', 'MONGO_URL', store)
  }
  if (!env['REDIS_URL']) {
    const port = await portFor(`${env.DATA_DIR} redis`, before['redis'])
    const store = redisStore(await findRedis(env, say), env.DATA_DIR, port, 'append-only')
    add(embedded, 'redis', 'REDIS_URL', store)
  }
  for (const [name, port] of Object.entries(embedded.taken)) {
    if (before[name] !== undefined && before[name] !== port) {
      say(`Port ${before[name]} of ${name} is taken by another program: it moves to ${port}.`)
    }
  }
  return embedded
}

function add (embedded: Embedded, name: string, variable: string, store: Parameters<typeof storePart>[1]): void {
  embedded.parts.push(storePart(name, store))
  embedded.urls[variable] = store.url
  embedded.taken[name] = store.port
}

/** One port for each server: the folder's own where it is free, else the next free of 20. */
async function serverPorts (env: BaseEnv, count: number, before: Ports): Promise<Ports> {
  const host = env['HTTP_HOST'] || '127.0.0.1'
  const from = Number(env['HTTP_PORT'] || before['server'] || ports.first)
  const found: Ports = {}
  let next = from
  for (let index = 1; index <= count; index++) {
    const port = await nextFree(next, from + ports.count - next, host)
    if (port === undefined) {
      throw new Error(`No port from ${from} to ${from + ports.count - 1} is free on ${host}: set HTTP_PORT.`)
    }
    found[index === 1 ? 'server' : `server ${index}`] = port
    next = port + 1
  }
  return found
}

const firstOperator = 'operator@switchyard.localhost'

/** Brings the store to this version; answers the first operator when it made one. */
async function migrate (env: NodeJS.ProcessEnv, operator = firstOperator): Promise<Operator | undefined> {
  const args = ['--disable-warning=ExperimentalWarning', join(root, 'workers/migrate.ts'), '--first-operator', operator]
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  if (code !== 0) throw new Error(`The migration failed: ${err.trim() || `exit code ${String(code)}`}`)
  const line = out.trim().split('\n').findLast((line) => line.startsWith('{"operator"'))
  return line === undefined ? undefined : (JSON.parse(line) as { operator: Operator }).operator
}

async function stopInOrder (supervisor: Supervisor): Promise<void> {
  const processes = supervisor.names('process')
  await supervisor.stop(processes.filter((name) => name.startsWith('server')))
  await supervisor.stop(processes)
  await supervisor.stop(supervisor.names('store'))
}
