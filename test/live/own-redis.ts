// A Redis of one test alone, to be emptied and killed.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findRedis } from '../../bin/services/binaries.ts'
import { environmentWithoutStores } from '../stores.ts'

interface Teardown { teardown (undo: () => unknown): unknown }

/** Waits until it is so. */
export async function until (isSo: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`not so after ${timeoutMs} ms: ${String(isSo)}`)
    await sleep(20)
  }
}

export interface OwnRedis { url: string, kill (): Promise<void>, start (): Promise<void>, client: Redis }

/** A Redis of the test alone, to be killed; it keeps an append-only file. */
export async function ownRedis (t: Teardown): Promise<OwnRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-redis-'))
  const port = await freePort()
  const binary = await findRedis(environmentWithoutStores(), () => null)
  let child: ChildProcess
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, maxRetriesPerRequest: null })
  client.on('error', () => null)
  const store: OwnRedis = {
    url: `redis://127.0.0.1:${port}`,
    client,
    async start () {
      child = spawn(binary, ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '',
        '--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'], { stdio: 'ignore' })
      await until(async () => {
        const probe = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null })
        probe.on('error', () => null)
        const isUp = await probe.connect().then(async () => await probe.ping()).then(() => true, () => false)
        probe.disconnect()
        return isUp
      })
    },
    async kill () {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  t.teardown(async () => {
    client.disconnect()
    if (child.exitCode === null && child.signalCode === null) await store.kill()
    rmSync(dir, { recursive: true, force: true })
  })
  await store.start()
  return store
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
