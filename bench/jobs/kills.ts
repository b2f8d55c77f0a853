// J10: from `kill -9` of a worker to the next start of its run, all arms of a round side by side.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Queue, Worker } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import type { RunRow } from '../../src/jobs/run.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, type Place } from '../../test/jobs/rig.ts'
import { summarize, type Verdict } from '../measure.ts'
import { dataOf, noop, until } from './floor.ts'

const onCpu = defineJob({ ...noop, name: 'bench.do-nothing-long', queue: 'bulk' })
const jobs = { io: noop, cpu: onCpu }
const trials = 3

interface Victim { place: Place, arm: 'io' | 'cpu' | 'same host' | 'BullMQ', name?: string }

/** Times to the new start in seconds; the dead worker of `io` and `cpu` names another host, as a lost machine would. */
export async function j10 (): Promise<{ verdicts: Verdict[], notes: string[] }> {
  const arms = ['io', 'cpu', 'same host', 'BullMQ'] as const
  const times = await Promise.all(arms.map(async (arm) =>
    await Promise.all(Array.from({ length: trials }, async () => await (arm === 'BullMQ' ? bare() : ours(arm))))))
  const [io, cpu, same, bull] = times.map((values, i) => summarize(arms[i] ?? '', values)) as [
    Measured, Measured, Measured, Measured]
  const common = { id: 'J10', unit: 's', must: { atMost: 1 } }
  return {
    verdicts: [
      { ...common, what: 'killed worker, io', ours: io, baseline: summarize('limit', [15]), goal: 12 / 15 },
      { ...common, what: 'killed worker, cpu', ours: cpu, baseline: summarize('limit', [55]), goal: 45 / 55 }
    ],
    notes: [
      `J10  on the same host: ${same.median.toFixed(1)} s; BullMQ with its defaults: ${bull.median.toFixed(1)} s`
    ]
  }
}

type Measured = ReturnType<typeof summarize>

async function ours (arm: 'io' | 'cpu' | 'same host'): Promise<number> {
  const place = newPlace()
  const job = jobs[arm === 'cpu' ? 'cpu' : 'io']
  const keeper = await rig({ place, groups: ['keeper'], declared: { jobs: [noop, onCpu] }, bind: bindIdle })
  const victim = await startVictim({ place, arm })
  const { id } = await keeper.tx(async (session) =>
    await keeper.jobs.add(session, job, dataOf(0), { workspaceId: 'w' }))
  const rows = keeper.db.collection<RunRow>('jobs.runs')
  await until(async () => (await rows.findOne({ _id: id }))?.state === 'running', 50)
  const heir = await rig({
    place, groups: ['io', 'cpu'], declared: { jobs: [noop, onCpu] }, bind: (app) => { bindIdle(app, () => { end() }) }
  })
  const began = await kill(victim)
  const again = Promise.withResolvers<number>()
  function end (): void { again.resolve((performance.now() - began) / 1000) }
  const seconds = await again.promise
  await heir.close()
  await keeper.close()
  await dropPlace(place)
  return seconds
}

function bindIdle (app: FastifyInstance, onStart = () => {}): void {
  for (const job of [noop, onCpu]) app.handleJob(job, async () => { onStart() })
}

/** The same with a worker that has BullMQ's own times. */
async function bare (): Promise<number> {
  const place = newPlace()
  const connection = new Redis(place.redisUrl, { maxRetriesPerRequest: null })
  const name = `bare-${randomUUID()}`
  const queue = new Queue(name, { connection, prefix: place.name })
  const victim = await startVictim({ place, arm: 'BullMQ', name })
  await queue.add('run', dataOf(0))
  await until(async () => await queue.getActiveCount() === 1, 50)
  const again = Promise.withResolvers<number>()
  let began = 0
  const worker = new Worker(name, async () => { again.resolve((performance.now() - began) / 1000) }, {
    connection, prefix: place.name
  })
  began = await kill(victim)
  const seconds = await again.promise
  await worker.close()
  await queue.close()
  connection.disconnect()
  await dropPlace(place)
  return seconds
}

async function startVictim (victim: Victim): Promise<ChildProcess> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', import.meta.filename, JSON.stringify(victim)
  ], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(createInterface(child.stdout), 'line')
  return child
}

/** Answers when it was killed. */
async function kill (child: ChildProcess): Promise<number> {
  const exited = once(child, 'exit')
  const atMs = performance.now()
  child.kill('SIGKILL')
  await exited
  return atMs
}

if (process.argv[1] === import.meta.filename) {
  const { place, arm, name = '' } = JSON.parse(process.argv[2] ?? '') as Victim
  // Works for ever; its parent kills it, and the end of the parent ends it too.
  const forever = async (): Promise<void> => { await new Promise<never>(() => {}) }
  process.stdin.once('end', () => { process.exit(1) }).resume()
  if (arm === 'BullMQ') {
    const connection = new Redis(place.redisUrl, { maxRetriesPerRequest: null })
    await new Worker(name, forever, { connection, prefix: place.name }).waitUntilReady()
  } else {
    await rig({
      place,
      groups: ['io', 'cpu'],
      ...(arm === 'same host' ? {} : { host: 'another' }),
      declared: { jobs: [noop, onCpu] },
      bind: (app) => { for (const job of [noop, onCpu]) app.handleJob(job, forever) }
    })
  }
  process.stdout.write('ready\n')
}
