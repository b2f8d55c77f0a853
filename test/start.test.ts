import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import t from 'tap'
import { findStores } from '../bin/services.ts'
import { lockFolder } from '../bin/services/lock.ts'
import { isRunning, markOf, type ProcessMark } from '../bin/services/processes.ts'
import type { Store } from '../bin/services/store.ts'
import { processPart, storePart } from '../bin/start/part.ts'
import { startProduct, type Product } from '../bin/start/product.ts'
import { createSupervisor } from '../bin/start/supervisor.ts'
import { folder } from './folder.ts'
import { environmentWithoutStores } from './stores.ts'

const child = `
  process.once('disconnect', () => process.exit(0))
  process.once('SIGTERM', () => { console.log('closing'); process.exit(0) })
  process.send({ msg: 'ready', address: null })
`

t.test('a killed store comes back on its port with its data, a killed process comes back too', async (t) => {
  const dir = folder(t, { 'child.mjs': child })
  const [mongo] = await findStores({ dir, persist: true, say: () => {} })
  const said: string[] = []
  const supervisor = createSupervisor({ say: (line) => { said.push(line) } })
  t.teardown(async () => { await supervisor.stop(['child', 'mongo']) })
  await supervisor.add(storePart('mongo', mongo))
  await supervisor.add(processPart({ name: 'child', file: join(dir, 'child.mjs'), env: {}, logs: dir }))

  const client = new MongoClient(mongo.url)
  t.teardown(async () => { await client.close() })
  const rows = client.db('kept').collection('rows')
  await rows.insertOne({ one: 1 }, { writeConcern: { w: 'majority', journal: true } })
  for (const name of ['mongo', 'child']) {
    const before = supervisor.pidOf(name)
    supervisor.kill(name)
    while (supervisor.pidOf(name) === before || supervisor.pidOf(name) === undefined) await sleep(20)
    t.not(supervisor.pidOf(name), before)
  }
  t.equal(await rows.countDocuments(), 1)
  t.match(said[0], /^MongoDB stopped with exit code 137: see .* Starting it again in 1 s\.$/)
  t.match(said[1], /^child ended \(SIGKILL\): see .* Starting it again in 1 s\.$/)
})

t.test('a store that never becomes ready stops all after three starts', async (t) => {
  const dir = folder(t)
  const broken = join(dir, 'broken')
  writeFileSync(broken, '#!/bin/sh\necho "write failed: No space left on device"\nexit 1\n')
  chmodSync(broken, 0o755)
  const store: Store = {
    name: 'Redis', port: 1, url: '', dir, log: join(dir, 'log'), command: [broken], isReady: async () => false
  }
  let starts = 0
  const supervisor = createSupervisor({ say: () => { starts++ } })
  await t.rejects(supervisor.add(storePart('redis', store)), {
    message: `Redis stopped: the disk of ${dir} is full. Make room and start again. ` +
      'It did not start 3 times in a row, so everything stops.'
  })
  t.equal(starts, 2)
})

t.test('a killed parent leaves nothing, and a crash is cleared by the next start', async (t) => {
  const dir = folder(t, { 'child.mjs': child })
  const { parent, marks } = await superviseElsewhere(dir)
  parent.kill('SIGKILL')
  while (marks.some(isRunning)) await sleep(50)
  const lock = await lockFolder(dir, 'the next start')
  t.teardown(() => { lock.release() })
  t.ok(lock.ports['redis'], 'the port is remembered')
})

t.test('a lock of a dead owner ends what was left running', async (t) => {
  const dir = folder(t)
  const left = spawn('sleep', ['60'])
  const mark = markOf('left', left.pid ?? 0)
  writeFileSync(join(dir, 'lock.json'), JSON.stringify({
    owner: { name: 'npm start', pid: process.pid, start: 'another time' }, ports: {}, parts: [mark]
  }))
  const lock = await lockFolder(dir, 'npm start')
  t.teardown(() => { lock.release() })
  t.notOk(isRunning(mark))
  await t.rejects(lockFolder(dir, 'npm run demo'), {
    message: new RegExp(`in use by npm start, process ${process.pid}:`)
  })
})

t.test('the product comes up, a killed server comes back, a stop leaves nothing', async (t) => {
  const dir = folder(t)
  const said: string[] = []
  const env = { ...environmentWithoutStores(), NODE_ENV: 'test', DATA_DIR: dir, HTTP_PORT: '17280' }
  const start = { name: 'npm start', env, say: (line: string) => { said.push(line) } }
  const product = await startProduct(start)
  const marks = ['mongo', 'redis', 'server', 'worker io keeper', 'worker cpu'].map((name) => {
    return markOf(name, product.supervisor.pidOf(name) ?? 0)
  })
  try {
    t.match(product.operator, { email: 'operator@switchyard.localhost', password: /^.{20,}$/ })
    t.equal(await healthOf(product), 200)
    await t.rejects(startProduct(start), { message: /is in use by npm start, process \d+ \(.*server on port \d+\)/ })

    product.supervisor.kill('server')
    while (await healthOf(product) !== 0) await sleep(20)
    while (await healthOf(product) !== 200) await sleep(50)
    t.match(said, [/^server ended \(SIGKILL\): see .*server\.log\. Starting it again in 1 s\.$/])
  } finally {
    await product.stop()
  }
  t.same(marks.filter(isRunning), [])
})

/** Status of the readiness of the first server; 0 where nobody answers. */
async function healthOf ({ addresses }: Product): Promise<number> {
  try {
    return (await fetch(`${addresses[0]}/health/ready`)).status
  } catch {
    return 0
  }
}

/** A supervisor in a process of its own, with one store and one child. */
async function superviseElsewhere (dir: string): Promise<{ parent: ChildProcess, marks: ProcessMark[] }> {
  const bin = join(import.meta.dirname, '../bin')
  const code = `
    const { findStores } = await import('${bin}/services.ts')
    const { lockFolder } = await import('${bin}/services/lock.ts')
    const { createSupervisor } = await import('${bin}/start/supervisor.ts')
    const { processPart, storePart } = await import('${bin}/start/part.ts')
    const [dir] = process.argv.slice(1)
    const lock = await lockFolder(dir, 'elsewhere')
    const [, redis] = await findStores({ dir, persist: true, say: () => {} })
    lock.note({ ports: { redis: redis.port } })
    const supervisor = createSupervisor({ say: () => {}, onChange: (parts) => lock.note({ parts }) })
    await supervisor.add(storePart('redis', redis))
    await supervisor.add(processPart({ name: 'child', file: dir + '/child.mjs', env: process.env, logs: dir }))
    console.log(JSON.stringify([supervisor.pidOf('redis'), supervisor.pidOf('child')]))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code, dir], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(createInterface({ input: parent.stdout }), 'line') as [string]
  return { parent, marks: (JSON.parse(line) as number[]).map((pid) => markOf('part', pid)) }
}
