// J9 what waits in Redis, J16 an event and its subscribers, J17 a commit: each against the bare writes.
import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { Type } from 'typebox'
import { defineEvent, defineSubscriber } from '../../src/kernel/index.ts'
import { rig } from '../../test/jobs/rig.ts'
import { interleave, summarize, type Verdict } from '../measure.ts'
import { c, dataOf, noop, pick, rowsOf, until, withFloor, writeRuns, type Floor } from './floor.ts'
import type { BenchOptions } from './throughput.ts'

/** J9: bytes of our keys with a backlog of 10,000 and of `most` runs that no worker takes. */
export async function j9 (most: number): Promise<Verdict[]> {
  const [few, many] = [await bytesAt(10_000), await bytesAt(most)]
  return [{
    id: 'J9',
    what: `memory of Redis at ${most} waiting runs against 10,000`,
    unit: 'bytes',
    ours: summarize('many', [many]),
    baseline: summarize('few', [few]),
    must: { atMost: 1.1 },
    goal: 1.05
  }]
}

async function bytesAt (count: number): Promise<number> {
  return await withFloor(async ({ place, redis }) => {
    // It claims what it gets and never comes to an end, so that the window stays full.
    const held = Promise.withResolvers<void>()
    const app = await rig({
      place,
      groups: ['io', 'keeper'],
      declared: { jobs: [noop] },
      bind: (app) => { app.handleJob(noop, async () => { await held.promise }) }
    })
    await writeRuns(app, rowsOf(count, app.clock.now()))
    const active = `${place.name}:{j0}:fast:active`
    await until(async () => await redis.llen(active) === c, 50)
    await until(async () => await isFull(redis, `${place.name}:{j0}:fast:prioritized`), 600)
    const bytes = await bytesOf(redis, place.name)
    await app.db.collection('jobs.runs').deleteMany({ state: 'pending' })
    held.resolve()
    await app.close()
    return bytes
  })
}

let lastWaiting = -1

/** Whether nothing was added since the last look, longer ago than a poll. */
async function isFull (redis: Redis, key: string): Promise<boolean> {
  const waiting = await redis.zcard(key)
  const isSame = waiting === lastWaiting && waiting > 0
  lastWaiting = waiting
  return isSame
}

async function bytesOf (redis: Redis, prefix: string): Promise<number> {
  let sum = 0
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 }) as AsyncIterable<string[]>) {
    for (const key of keys) sum += await redis.memory('USAGE', key, 'SAMPLES', 0) ?? 0
  }
  return sum
}

const events = 1200
const subscribers = 8
const commits = 2000
const atOnce = 16

const happened = defineEvent({
  name: 'bench.thing.happened',
  data: Type.Object({ n: Type.Integer(), text: Type.String({ maxLength: 200 }) }, { additionalProperties: false })
})
const hearers = Array.from(
  { length: subscribers }, (_, i) => defineSubscriber({ name: `bench.hear-${i}`, event: happened })
)

/** Calls `work` so often, 16 at once; how many a second. */
async function rateOf (count: number, work: (n: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < count) await work(next++)
  }))
  return count / ((performance.now() - began) / 1000)
}

async function inServer (
  { place }: Floor, declared: NonNullable<Parameters<typeof rig>[0]['declared']>,
  work: (app: FastifyInstance) => Promise<number>
): Promise<number> {
  const app = await rig({ place, role: 'server', declared })
  try {
    return await work(app)
  } finally {
    await app.close()
  }
}

/** J16: one event with eight subscribers in a transaction, against nine inserts of the same documents. */
export async function j16 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const declared = { events: [happened], subscribers: hearers }
  const measured = await interleave([
    {
      name: 'nine bare inserts',
      run: async () => await withFloor(async (floor) => await inServer(floor, declared, async ({ db, tx, clock }) => {
        const [log, runs] = [db.collection('bench.events'), db.collection('bench.runs')]
        await Promise.all([log, runs].map(async ({ collectionName }) => { await db.createCollection(collectionName) }))
        return await rateOf(events, async (n) => {
          await tx(async (session) => {
            await log.insertOne({ type: happened.name, data: dataOf(n), at: clock.now() }, { session })
            for (const row of rowsOf(subscribers, clock.now())) await runs.insertOne(row as object, { session })
          })
        })
      }))
    },
    {
      name: 'emit',
      run: async () => await withFloor(async (floor) => await inServer(floor, declared, async (app) =>
        await rateOf(events, async (n) => {
          await app.tx(async (session) => await app.events.emit(
            session, happened, dataOf(n), { type: 'thing', id: `${n}` }, { workspaceId: 'w' }))
        })))
    }
  ], { rounds })
  return [{
    id: 'J16',
    what: `an event with ${subscribers} subscribers, ${atOnce} at once`,
    unit: 'commits/s',
    ours: pick(measured, 'emit'),
    baseline: pick(measured, 'nine bare inserts'),
    must: { atLeast: 0.7 },
    goal: 0.9
  }]
}

/** J17: state, event and run in one transaction, against the same three inserts without indexes but `_id`. */
export async function j17 ({ rounds }: BenchOptions): Promise<Verdict[]> {
  const declared = { events: [happened], jobs: [noop] }
  const measured = await interleave([
    {
      name: 'three bare inserts',
      run: async () => await withFloor(async (floor) => await inServer(floor, declared, async ({ db, tx, clock }) => {
        const rows = ['bench.states', 'bench.events', 'bench.runs'].map((name) => db.collection(name))
        await Promise.all(rows.map(async ({ collectionName }) => { await db.createCollection(collectionName) }))
        return await rateOf(commits, async (n) => {
          const [run] = rowsOf(1, clock.now())
          const documents = [{ n }, { type: happened.name, data: dataOf(n), at: clock.now() }, { ...run }]
          await tx(async (session) => {
            for (const [i, document] of documents.entries()) await rows[i]?.insertOne(document as object, { session })
          })
        })
      }))
    },
    {
      name: 'state, event, run',
      run: async () => await withFloor(async (floor) => await inServer(floor, declared, async (app) => {
        const states = app.db.collection('bench.states')
        await app.db.createCollection('bench.states')
        return await rateOf(commits, async (n) => {
          await app.tx(async (session) => {
            await states.insertOne({ n }, { session })
            await app.events.emit(
              session, happened, dataOf(n), { type: 'thing', id: `${n}`, version: 1 }, { workspaceId: 'w' })
            await app.jobs.add(session, noop, dataOf(n), { workspaceId: 'w', key: `k${n}` })
          })
        })
      }))
    }
  ], { rounds })
  return [{
    id: 'J17',
    what: `commits of state, event and run, ${atOnce} at once`,
    unit: 'commits/s',
    ours: pick(measured, 'state, event, run'),
    baseline: pick(measured, 'three bare inserts'),
    must: { atLeast: 0.5 },
    goal: 0.75
  }]
}
