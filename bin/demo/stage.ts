// Where the main job plays: stores, stand-in, mail sink, two servers, two workers, in a folder of their own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { loadConfig } from '../../src/config/index.ts'
import { startProduct, type Product } from '../start/product.ts'

export type Victim = 'mongo' | 'redis' | 'server' | 'server 2' | 'worker io keeper' | 'worker cpu'

export interface Stage {
  /** Addresses of server A and server B. */
  servers: [string, string]
  platform: { origin: string, control: string }
  mails: { control: string }
  stores: { mongoUrl: string, database: string, redisUrl: string, prefix: string }
  folders: { logs: string, scratch: string }
  /** kill -9; it comes back by itself. */
  kill: (victim: Victim) => void
  /** Resident memory in MB by process, from the kernel. */
  memory: () => Record<string, number>
  product: Product
  close: () => Promise<void>
}

export interface StageOptions {
  /** Emptied first. */
  dir: string
  env: NodeJS.ProcessEnv
  isSmall: boolean
  say: (line: string) => void
}

const standIns = join(import.meta.dirname, '../../test/stand-ins')

/** Brings the stage up. Throws one sentence; then nothing is left running. */
export async function openStage ({ dir, env, isSmall, say }: StageOptions): Promise<Stage> {
  await rm(dir, { recursive: true, force: true })
  const children: ChildProcess[] = []
  const closeChildren = async (): Promise<void> => { await Promise.all(children.map(end)) }
  try {
    const [platform, sink] = await Promise.all([
      standIn(children, 'platforms/main.ts', ['--main-job-faults', ...(isSmall ? ['--small'] : [])]),
      standIn(children, 'smtp-main.ts', [])
    ])
    const product = await startProduct({
      name: 'npm run demo', env: { ...env, ...settings(dir, platform, sink) }, say, servers: 2
    })
    return {
      ...toStage(product, platform, sink),
      async close () {
        await product.stop()
        await closeChildren()
      }
    }
  } catch (error) {
    await closeChildren()
    throw error
  }
}

/** What a stand-in says of itself: the platform its origin, the mail sink its url, both their control port. */
interface Ready { origin: string, url: string, control: string }

function settings (dir: string, platform: Ready, sink: Ready): NodeJS.ProcessEnv {
  return {
    DATA_DIR: dir,
    NODE_ENV: 'development',
    MEDIA_SCANNER: 'none',
    SMTP_URL: sink.url,
    FETCH_ALLOW: new URL(platform.origin).host,
    LOG_LEVEL: 'info',
    // One user asks for everything here, some 2,000 calls in a minute; the limits stay on.
    HTTP_LIMIT_SCALE: '20',
    HTTP_FLOOD_PER_MIN: '60000'
  }
}

function toStage (product: Product, platform: Ready, sink: Ready): Omit<Stage, 'close'> {
  const { env, supervisor, addresses, logs } = product
  const { mongo, redis, scratchDir } = loadConfig(env)
  const [serverA = '', serverB = ''] = addresses
  const names = ['mongo', 'redis', 'server', 'server 2', 'worker io keeper', 'worker cpu']
  return {
    product,
    servers: [serverA, serverB],
    platform: { origin: platform.origin, control: platform.control },
    mails: { control: sink.control },
    stores: { mongoUrl: mongo.url, database: mongo.database, redisUrl: redis.url, prefix: redis.prefix },
    folders: { logs, scratch: scratchDir },
    kill: (victim) => { supervisor.kill(victim) },
    memory: () => Object.fromEntries(names.flatMap((name) => {
      const pid = supervisor.pidOf(name)
      return pid === undefined ? [] : [[name, residentMb(pid)]]
    }))
  }
}

function residentMb (pid: number): number {
  const [, kb = '0'] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kb) / 1024)
}

async function standIn (children: ChildProcess[], file: string, args: readonly string[]): Promise<Ready> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(standIns, file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'], detached: true
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })
  const [line] = await Promise.race([
    once(lines, 'line') as Promise<[string]>,
    once(child, 'exit').then(() => { throw new Error(`The stand-in ${file} did not start.`) })
  ])
  return JSON.parse(line) as Ready
}

async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
