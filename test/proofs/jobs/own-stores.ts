// MongoDB and Redis of one proof alone, on ports and in a folder of their own: they are killed by pid, and end with it.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findStores } from '../../../bin/services.ts'
import type { Held } from '../../../bin/services/hold.ts'
import { launch } from '../../../bin/services/store.ts'
import type { Place } from '../../jobs/rig.ts'

export interface OwnRedis {
  pid (): number
  /** Ends it by that signal, and waits until it is gone. */
  kill (signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Starts it again on the files that it left; it answers when this resolves. */
  start (): Promise<void>
}

interface OwnStores { place: Place, redis: OwnRedis }

/** Runs the work on stores of its own; Redis keeps an append-only file. */
export async function withStores<T> (work: (stores: OwnStores) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-proof-'))
  const [mongo, redis] = await findStores({ dir, persist: true, say: () => undefined })
  const running = new Map<string, Held>()
  const start = async (store: typeof mongo): Promise<void> => { running.set(store.name, await launch(store)) }
  const held = (): Held => running.get(redis.name) as Held
  try {
    await start(mongo)
    await start(redis)
    return await work({
      place: { mongoUrl: mongo.url, redisUrl: redis.url, name: `j${randomBytes(6).toString('hex')}` },
      redis: {
        pid: () => held().pid,
        async kill (signal = 'SIGKILL') {
          process.kill(held().pid, signal)
          await held().exited
        },
        start: async () => { await start(redis) }
      }
    })
  } finally {
    await Promise.all([...running.values()].map(async (one) => { await one.stop() }))
    rmSync(dir, { recursive: true, force: true })
  }
}
