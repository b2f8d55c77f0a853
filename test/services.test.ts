import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { Redis } from 'ioredis'
import t from 'tap'
import { startServices, type Services } from '../bin/services.ts'
import { findMongod, findRedis } from '../bin/services/binaries.ts'
import { isRunning, markOf } from '../bin/services/processes.ts'
import { folder } from './folder.ts'

const silent = { say: () => {} }

t.test('what was written is there after the stores stopped and started again, on the same ports', async (t) => {
  const dir = folder(t)
  const first = await startServices({ dir, persist: true, ...silent })
  await write(first)
  await first.stop()
  const second = await startServices({ dir, persist: true, ...silent })
  t.teardown(async () => { await second.stop() })
  t.equal(second.mongoUrl, first.mongoUrl)
  t.equal(second.redisUrl, first.redisUrl)
  t.same(await read(second), { mongo: 1, redis: '1' })
})

t.test('a second start in the same folder says which process has it', async (t) => {
  const dir = folder(t)
  const services = await startServices({ dir, persist: false, ...silent })
  t.teardown(async () => { await services.stop() })
  await t.rejects(startServices({ dir, persist: false, ...silent }), {
    message: new RegExp(`is in use by the stores, process ${process.pid} \\(mongo on port \\d+, redis on port \\d+\\)`)
  })
})

t.test('a killed owner leaves no store, and the next start finds the data', async (t) => {
  const dir = folder(t)
  const { child, services } = await startElsewhere(dir)
  await write(services)
  await sleep(1100)
  child.kill('SIGKILL')
  await gone(services)
  const next = await startServices({ dir, persist: true, ...silent })
  t.teardown(async () => { await next.stop() })
  t.same(await read(next), { mongo: 1, redis: '1' })
})

t.test('killing the holders takes their stores with them', async (t) => {
  const { child, services } = await startElsewhere(folder(t))
  t.teardown(() => { child.kill('SIGKILL') })
  for (const pid of await holdersOf(child)) process.kill(pid, 'SIGKILL')
  await gone(services)
  t.pass('both stores ended')
})

t.test('a taken port is left to its owner', async (t) => {
  const dir = folder(t)
  const first = await startServices({ dir, persist: false, ...silent })
  await first.stop()
  const port = Number(new URL(first.redisUrl).port)
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => { other.close() })
  const second = await startServices({ dir, persist: false, ...silent })
  t.teardown(async () => { await second.stop() })
  t.not(second.redisUrl, first.redisUrl)
  t.equal(second.mongoUrl, first.mongoUrl)
})

t.test('a program that is named and does not do is one sentence, and nothing else is taken for it', async (t) => {
  const old = program(folder(t), 'redis-server', 'Redis server v=6.2.1 sha=0')
  await t.rejects(findRedis({ REDIS_SERVER_BINARY: old }, silent.say), {
    message: `REDIS_SERVER_BINARY: ${old} is version 6, and 7.0 or later is needed.`
  })
  await t.rejects(findMongod({ MONGOD_BINARY: '/nowhere/mongod' }, silent.say), {
    message: 'MONGOD_BINARY: /nowhere/mongod does not run on this system.'
  })
})

t.test('a program on PATH is taken before the cache, an old one is passed over', async (t) => {
  const dir = folder(t, { 'path/x': '', 'cache/bin/x': '' })
  program(join(dir, 'path'), 'mongod', 'db version v5.0.9')
  const cached = program(join(dir, 'cache/bin'), 'mongod', 'db version v6.0.5')
  const env = { PATH: join(dir, 'path'), SWITCHYARD_CACHE: join(dir, 'cache') }
  t.equal(await findMongod(env, silent.say), cached)
  const newer = program(join(dir, 'path'), 'mongod', 'db version v8.0.4')
  t.equal(await findMongod(env, silent.say), newer)
})

/** A program that only says its version. */
function program (dir: string, name: string, version: string): string {
  const path = join(dir, name)
  writeFileSync(path, `#!/bin/sh\necho "${version}"\n`)
  chmodSync(path, 0o755)
  return path
}

async function write ({ mongoUrl, redisUrl }: Services): Promise<void> {
  await withClients({ mongoUrl, redisUrl }, async (mongo, redis) => {
    await mongo.db('kept').collection('rows').insertOne({ one: 1 }, { writeConcern: { w: 'majority', journal: true } })
    await redis.set('kept', '1')
  })
}

async function read (urls: Services): Promise<{ mongo: number, redis: string | null }> {
  return await withClients(urls, async (mongo, redis) => ({
    mongo: await mongo.db('kept').collection('rows').countDocuments(), redis: await redis.get('kept')
  }))
}

type Urls = Pick<Services, 'mongoUrl' | 'redisUrl'>

async function withClients<T> (urls: Urls, use: (mongo: MongoClient, redis: Redis) => Promise<T>): Promise<T> {
  const mongo = new MongoClient(urls.mongoUrl)
  const redis = new Redis(urls.redisUrl)
  try {
    return await use(mongo, redis)
  } finally {
    await mongo.close()
    redis.disconnect()
  }
}

/** Starts the stores in a process of its own, so that the test can kill it. */
async function startElsewhere (dir: string): Promise<{ child: ChildProcess, services: Services }> {
  const code = `import { startServices } from '${join(import.meta.dirname, '../bin/services.ts')}'
    process.send(await startServices({ dir: process.argv[1], persist: true }))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, dir], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc']
  })
  const [services] = await once(child, 'message') as [Services]
  return { child, services }
}

async function holdersOf (parent: ChildProcess): Promise<number[]> {
  const ps = spawn('ps', ['-o', 'pid=', '--ppid', String(parent.pid)])
  const [out] = await once(ps.stdout, 'data') as [Buffer]
  return out.toString().trim().split(/\s+/).map(Number)
}

async function gone ({ pids }: Services): Promise<void> {
  const marks = [markOf('mongo', pids.mongo), markOf('redis', pids.redis)]
  while (marks.some(isRunning)) await sleep(50)
}
