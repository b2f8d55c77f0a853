// P19: a Redis that may lose queued work, and a worker of the product that boots on it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import type { Proofs } from '../../../bin/proof.ts'
import { ownRedis } from '../../live/own-redis.ts'
import { startOldRedis } from '../../stand-ins/old-redis.ts'
import { testStores } from '../../stores.ts'

const root = join(import.meta.dirname, '../../..')

interface Boot { code: number | 'ready', lines: string[] }

/** Starts an entrypoint, until it says that it is ready, or ends; what it said on both streams. */
async function boot (file: string, args: readonly string[], env: Record<string, string>): Promise<Boot> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, file), ...args], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe']
  })
  const lines: string[] = []
  const ready = new Promise<'ready'>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        lines.push(line)
        if (line.includes('"msg":"ready"')) resolve('ready')
      })
    }
  })
  const exited = once(child, 'exit').then(([code]) => Number(code))
  const late = sleep(60_000, undefined, { ref: false }).then(() => -1)
  const code = await Promise.race([ready, exited, late])
  if (code === 'ready' || code === -1) {
    child.kill('SIGTERM')
    await exited
  } else await sleep(50)
  return { code, lines }
}

function must (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Variables of an installation on this Redis. */
function environment (name: string, redisUrl: string, more: Record<string, string>): Record<string, string> {
  return {
    NODE_ENV: 'production', LOG_LEVEL: 'warn', MONGO_URL: testStores().mongoUrl, MONGO_DB: name, REDIS_URL: redisUrl,
    KEY_PREFIX: name, MASTER_KEYS: `test:${randomBytes(32).toString('hex')}`, DOMAINS: 'identity',
    SMTP_URL: 'smtp://127.0.0.1:25', DATA_DIR: join(tmpdir(), name), ...more
  }
}

export const proofs: Proofs = {
  async P19 ({ say }) {
    const undo: Array<() => unknown> = []
    const t = { teardown: (one: () => unknown) => undo.push(one) }
    const name = `p19${randomBytes(6).toString('hex')}`
    try {
      const [redis, other, old] = [await ownRedis(t), await ownRedis(t), await startOldRedis('6.2.14')]
      undo.push(old.close)
      const migrated = await boot('workers/migrate.ts', [], environment(name, redis.url, {}))
      must(migrated.code === 0, `migrate: ${migrated.lines.join('\n')}`)
      const worker = async (url: string, more = {}): Promise<Boot> =>
        await boot('workers/worker.ts', ['io'], environment(name, url, more))
      const refused = async (what: string, sentence: RegExp, url = redis.url): Promise<void> => {
        const { code, lines } = await worker(url)
        must(code === 1 && lines.some((line) => line.startsWith('jobs.redis_policy') && sentence.test(line)),
          `${what}: ended with ${code}: ${lines.join('\n')}`)
        say(`${what}: ${lines.at(-1)}`)
      }
      const set = async (key: string, value: string): Promise<void> => { await redis.client.config('SET', key, value) }
      await set('maxmemory-policy', 'allkeys-lru')
      await refused('eviction', /set noeviction/)
      await set('maxmemory-policy', 'noeviction')
      await set('appendfsync', 'no')
      await refused('no sync', /set appendfsync everysec/)
      await set('appendfsync', 'everysec')
      must((await worker(redis.url)).code === 'ready', 'a good Redis is refused')
      await set('appendonly', 'no')
      await refused('no append-only file', /set appendonly yes/)
      const { code, lines } = await worker(redis.url, { NODE_ENV: 'development' })
      const warnings = lines.filter((line) => line.includes('append-only'))
      must(code === 'ready' && warnings.length === 1, `development: ${code}, ${warnings.length} warnings`)
      await set('appendonly', 'yes')
      await redis.client.replicaof('127.0.0.1', Number(new URL(other.url).port))
      await refused('read-only replica', /name the primary/)
      await refused('version', /older than 7/, old.url)
      return 'eviction, replica, version 6, no file, no sync: 5 refused; a good one boots, development warns once'
    } finally {
      for (const one of undo.reverse()) await one()
      const client = new MongoClient(testStores().mongoUrl)
      await client.db(name).dropDatabase()
      await client.close()
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    }
  }
}
