// How processes end: a worker by one signal or two, and a solo child with its worker, whatever it is at.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { startWorkerHealth } from '../../plugins/http/health.ts'
import { testEnvironment } from '../helper.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { stay } from './two-signals.ts'
import { kill } from './victim.ts'
import { addOne, keeperOf, limits, loopForEver, startWild, stepEffects, stepsToWalk, walkFar } from './wild.ts'

interface Row { _id: string, state: string, starts: number, attempt: number, crashes: number, steps?: object }
const runOf = async (app: FastifyInstance, id: string) => await app.db.collection<Row>('jobs.runs').findOne({ _id: id })
const soon = 60_000

/** Processes that this one forked; the system says so on Linux only. */
function childrenOf ({ pid }: ChildProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
}

function isAlive (pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

/** It hears SIGTERM only when its event loop turns, and that does not turn. */
async function isDeaf (pid: number): Promise<boolean> {
  const caught = /^SigCgt:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
  const isCaught = (BigInt(`0x${caught}`) >> 14n & 1n) === 1n
  const before = ticksOf(pid)
  await sleep(500)
  return isCaught && ticksOf(pid) - before > 25
}

/** Hundredths of a second of work. */
function ticksOf (pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11])
}

/** A run that two workers have died of: its next start is solo. */
async function addSuspect (app: FastifyInstance, job: unknown, data: object): Promise<string> {
  const id = await addOne(app, job, data)
  await app.db.collection<Row>('jobs.runs').updateOne({ _id: id }, { $set: { crashes: 2 } })
  return id
}

const options = { skip: existsSync('/proc/self/task') ? false : 'children are told by Linux alone' }

function bindNothing (app: FastifyInstance): void {
  app.handleJob(stay, async () => {})
}

t.test('a second signal ends a worker at once, and what it had is no attempt', async (t) => {
  const place = newPlace()
  const app = await rig({ place, groups: ['keeper'], declared: { jobs: [stay] }, bind: bindNothing })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  const worker = fork(join(import.meta.dirname, 'two-signals.ts'), [JSON.stringify(place)], {
    execArgv: ['--disable-warning=ExperimentalWarning'], silent: true
  })
  t.teardown(async () => { await kill(worker) })
  await once(worker, 'message')
  const id = await addOne(app, stay, {})
  await until('at work', async () => (await runOf(app, id))?.state === 'running')
  const exited = once(worker, 'exit')
  worker.kill('SIGTERM')
  const said = createInterface(worker.stdout as NodeJS.ReadableStream)
  for await (const line of said) if (line.includes('"closing"')) break
  t.equal(worker.exitCode, null, 'the first one waits for what is at work')
  const sinceMs = performance.now()
  worker.kill('SIGTERM')
  t.same(await exited, [1, null])
  t.ok(performance.now() - sinceMs < 1000, `${Math.round(performance.now() - sinceMs)} ms`)
  await until('given back', async () => (await runOf(app, id))?.state !== 'running', soon)
  t.match(await runOf(app, id), { attempt: 0 })
})

t.test('a worker that drains is not ready from the first moment, and alive to the last', async (t) => {
  const place = newPlace()
  const [atWork, mayEnd] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
  let address = ''
  const app = await rig({
    place,
    declared: { jobs: [stay] },
    bind (app) {
      app.handleJob(stay, async () => {
        atWork.resolve(undefined)
        await mayEnd.promise
      })
    },
    async ready (app) { address = await startWorkerHealth(app, { host: '127.0.0.1', port: 0 }) }
  })
  t.teardown(async () => {
    mayEnd.resolve(undefined)
    await app.close()
    await dropPlace(place)
  })
  const statusOf = async (path: string) => (await fetch(`${address}/health/${path}`)).status
  const id = await addOne(app, stay, {})
  await atWork.promise
  t.equal(await statusOf('ready'), 200)
  const closed = app.close()
  t.same([await statusOf('ready'), await statusOf('live')], [503, 200])
  mayEnd.resolve(undefined)
  await closed
  await t.rejects(statusOf('ready'))
  const reader = await rig({ place, role: 'server', declared: { jobs: [stay] } })
  t.teardown(async () => { await reader.close() })
  t.match(await runOf(reader, id), { state: 'done' })
})

t.test('a solo child in an endless loop ends with its worker', options, async (t) => {
  const { place, app } = await keeperOf(t)
  const worker = await startWild({ place, limits: { ...limits, loopMs: 60_000 } })
  t.teardown(async () => { await kill(worker) })
  await addSuspect(app, loopForEver, { n: 1 })
  let child = 0
  // One that is too slow to begin is followed by another one.
  await until('it hangs', async () => {
    child = childrenOf(worker)[0] ?? 0
    return isAlive(child) && await isDeaf(child).catch(() => false)
  }, soon)
  process.kill(child, 'SIGTERM')
  await kill(worker)
  t.ok(await until('it is gone', () => !isAlive(child), 5000) < 3000)
})

t.test('a signal to a solo child gives its run back: it is tried again and condemned by nobody', options, async (t) => {
  const { place, app } = await keeperOf(t)
  const worker = await startWild({ place, limits })
  t.teardown(async () => { await kill(worker) })
  const id = await addSuspect(app, walkFar, { pauseMs: 200 })
  const stepsDone = async () => Object.keys((await runOf(app, id))?.steps ?? {}).length
  await until('three steps', async () => await stepsDone() >= 3, soon)
  const [child = 0] = childrenOf(worker)
  process.kill(child, 'SIGTERM')
  await until('it is gone', () => !isAlive(child), 5000)
  await until('done', async () => (await runOf(app, id))?.state === 'done', soon)
  t.match(await runOf(app, id), { starts: 2, attempt: 0, crashes: 2 })
  t.equal(await app.db.collection('jobs.letters').countDocuments(), 0)
  t.equal(await stepEffects(app).countDocuments({ count: 1 }), stepsToWalk)
})

t.test('a solo child whose worker dies while it boots is gone before it is ready', async (t) => {
  // A store that takes the call and says nothing: the boot waits for it.
  const mute = createServer().listen(0, '127.0.0.1')
  await once(mute, 'listening')
  const { port } = mute.address() as AddressInfo
  t.teardown(() => { mute.close() })
  const environment = testEnvironment({ MONGO_URL: `mongodb://127.0.0.1:${port}/?directConnection=true` })
  const file = join(import.meta.dirname, '../../workers/worker.ts')
  const child = fork(file, ['--solo'], {
    env: environment, execArgv: ['--disable-warning=ExperimentalWarning'], silent: true
  })
  const said: unknown[] = []
  child.on('message', (message) => { said.push(message) })
  t.teardown(async () => { await kill(child) })
  await once(mute, 'connection')
  const sinceMs = performance.now()
  child.disconnect()
  const [code] = await once(child, 'exit') as [number]
  t.same([code, said], [1, []])
  t.ok(performance.now() - sinceMs < 1000, `${Math.round(performance.now() - sinceMs)} ms`)
})
