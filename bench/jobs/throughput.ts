// J1 and J5 lossy jobs, J2 relay, J4 whole lives: each against bare BullMQ.
import type { Job } from 'bullmq'
import type { RunRow } from '../../src/jobs/run.ts'
import { interleave, type Verdict } from '../measure.ts'
import {
  bareQueue, bareWorker, c, dataOf, engine, kept, noop, pick, rowsOf, until, withFloor, writeRuns, type Floor
} from './floor.ts'
import { addNowSingle, addNowBulk, lossyLives } from './lossy.ts'

const backlog = 50_000
const lives = 6000
const sends = 4000

export interface BenchOptions { rounds: number }

/** J1: what `addNow` costs beside the same call of BullMQ; 16 callers at once, then bulks of 500. */
export async function j1 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const measured = await interleave([
    { name: 'BullMQ add', run: async () => await withFloor(bareSingle) },
    { name: 'addNow', run: async () => await withFloor(async (floor) => await addNowSingle(floor, sends)) },
    { name: 'BullMQ addBulk', run: async () => await withFloor(bareBulk) },
    { name: 'addNowMany', run: async () => await withFloor(async (floor) => await addNowBulk(floor, 4 * sends)) }
  ], { rounds })
  const common = { id: 'J1', unit: 'jobs/s', must: { atLeast: 0.8 }, goal: 0.9 }
  return [
    { ...common, what: 'addNow, single', ours: pick(measured, 'addNow'), baseline: pick(measured, 'BullMQ add') },
    { ...common, what: 'addNow, bulk', ours: pick(measured, 'addNowMany'), baseline: pick(measured, 'BullMQ addBulk') }
  ]
}

async function bareSingle (floor: Floor): Promise<number> {
  const queue = bareQueue(floor)
  const began = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < sends) {
      const n = next++
      await queue.add('run', dataOf(n), { jobId: `r-${n}`, priority: 5, removeOnComplete: kept, removeOnFail: kept })
    }
  }))
  const rate = sends / ((performance.now() - began) / 1000)
  await queue.close()
  return rate
}

async function bareBulk (floor: Floor): Promise<number> {
  return await bulk(floor, 4 * sends)
}

/** Adds so many jobs of 200 bytes in bulks of 500 with ids; jobs a second. */
async function bulk (floor: Floor, count: number): Promise<number> {
  const queue = bareQueue(floor)
  const began = performance.now()
  for (let from = 0; from < count; from += 500) {
    await queue.addBulk(Array.from({ length: 500 }, (_, i) => ({
      name: 'run',
      data: dataOf(from + i),
      opts: { jobId: `r-${from + i}`, priority: 5, removeOnComplete: kept, removeOnFail: kept }
    })))
  }
  const rate = count / ((performance.now() - began) / 1000)
  await queue.close()
  return rate
}

/** J2: 50,000 committed runs of ten workspaces until the last one is in Redis. The window is opened for all of them. */
export async function j2 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const measured = await interleave([
    { name: 'addBulk with ids', run: async () => await withFloor(async (floor) => await bulk(floor, backlog)) },
    { name: 'relay', run: async () => await withFloor(relayed) }
  ], { rounds })
  return [{
    id: 'J2',
    what: `committed runs to Redis, backlog of ${backlog} of 10 workspaces`,
    unit: 'runs/s',
    ours: pick(measured, 'relay'),
    baseline: pick(measured, 'addBulk with ids'),
    must: { atLeast: 0.3 },
    goal: 0.55
  }]
}

async function relayed ({ place, redis }: Floor): Promise<number> {
  const app = await engine(place, undefined, { groups: ['keeper'] })
  // Nobody consumes; a worker that stands in the list alone opens the window for the whole backlog.
  const worker = {
    host: 'elsewhere', pid: 1, startedAt: 1, codeVersion: '0', queues: { fast: backlog / 2 },
    handles: [{ name: noop.name, version: 1 }], rssBytes: 0, lagMs: 0
  }
  const workers = app.db.collection<{ _id: string, seenAt: Date }>('jobs.workers')
  const living = setInterval(() => {
    void workers.updateOne({ _id: 'w' }, { $set: { ...worker, seenAt: app.clock.now() } }, { upsert: true })
  }, 1000)
  try {
    await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
    const dueAt = new Date(app.clock.ms() + 6000)
    await writeRuns(app, rowsOf(backlog, dueAt))
    await until(() => app.clock.ms() >= dueAt.getTime())
    const began = performance.now()
    const key = `${place.name}:{j0}:fast:prioritized`
    await until(async () => await redis.zcard(key) >= backlog, 10)
    return backlog / ((performance.now() - began) / 1000)
  } finally {
    clearInterval(living)
    await app.close()
  }
}

/** J4: lives of runs that do nothing, from due to the last outcome, relay and worker in this one process. */
export async function j4 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const measured = await interleave([
    { name: 'raw worker', run: async () => await withFloor(async (floor) => await rawLives(floor, lives)) },
    { name: 'raw worker and two writes', run: async () => await withFloor(rawWithWrites) },
    { name: 'runs', run: async () => await withFloor(ourLives) }
  ], { rounds })
  const common = { id: 'J4', unit: 'runs/s', ours: pick(measured, 'runs') }
  return [
    {
      ...common, what: `${lives} no-op runs, c = ${c}, relay inside, against (a)`,
      baseline: pick(measured, 'raw worker'), must: { atLeast: 0.28 }, goal: 0.45
    },
    {
      ...common, what: 'the same against (b)',
      baseline: pick(measured, 'raw worker and two writes'), must: { atLeast: 2.5 }, goal: 4
    }
  ]
}

/** J5: lossy jobs with contract, log and metrics. */
export async function j5 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const count = 2 * lives
  const measured = await interleave([
    { name: 'raw worker', run: async () => await withFloor(async (floor) => await rawLives(floor, count)) },
    { name: 'lossy', run: async () => await withFloor(async (floor) => await lossyLives(floor, count)) }
  ], { rounds })
  return [{
    id: 'J5',
    what: `${count} no-op lossy jobs`,
    unit: 'jobs/s',
    ours: pick(measured, 'lossy'),
    baseline: pick(measured, 'raw worker'),
    must: { atLeast: 0.8 },
    goal: 0.9
  }]
}

/** The jobs wait in Redis before the clock starts: the lives alone are measured. */
async function rawLives (floor: Floor, count: number, work: (job: Job) => Promise<unknown> = async () => null) {
  const queue = bareQueue(floor)
  for (let from = 0; from < count; from += 500) {
    await queue.addBulk(Array.from({ length: Math.min(500, count - from) }, (_, i) => ({
      name: 'run', data: dataOf(from + i), opts: { jobId: `r-${from + i}`, priority: 5 }
    })))
  }
  let ended = 0
  const worker = bareWorker(floor, queue.name, work, { autorun: false })
  worker.on('completed', () => { ended++ })
  await worker.waitUntilReady()
  const began = performance.now()
  worker.run().catch(() => {})
  await until(() => ended >= count)
  const rate = count / ((performance.now() - began) / 1000)
  await worker.close()
  await queue.close()
  return rate
}

/** What everybody writes first: the state in the store before and after each job. */
async function rawWithWrites (floor: Floor): Promise<number> {
  const app = await engine(floor.place, undefined, { role: 'server' })
  const rows = app.db.collection<{ _id: number, state: string }>('bench.states')
  await rows.insertMany(Array.from({ length: lives }, (_, n) => ({ _id: n, state: 'waiting' })))
  try {
    return await rawLives(floor, lives, async ({ data: { n } }: Job<{ n: number }>) => {
      await rows.updateOne({ _id: n }, { $set: { state: 'running', startedAt: new Date() } })
      await rows.updateOne({ _id: n }, { $set: { state: 'done', endedAt: new Date() } })
      return null
    })
  } finally {
    await app.close()
  }
}

/** All runs become due in one instant, so that writing them is no part of it; the end is the last one done. */
async function ourLives ({ place }: Floor): Promise<number> {
  let started = 0
  const app = await engine(place, () => { started++ })
  const runs = app.db.collection<RunRow>('jobs.runs')
  await until(async () => await app.leases.holder('jobs.keeper:0') !== null, 20)
  const dueAt = new Date(app.clock.ms() + 2000)
  await writeRuns(app, rowsOf(lives, dueAt))
  await until(() => app.clock.ms() >= dueAt.getTime())
  const began = performance.now()
  await until(() => started >= lives)
  await until(async () => await runs.findOne({ queue: 'fast', state: { $ne: 'done' } }) === null, 5)
  const rate = lives / ((performance.now() - began) / 1000)
  await app.close()
  return rate
}
