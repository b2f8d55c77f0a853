// P29: a million runs in an hour. Rounds are lots of ten thousand runs: `--rounds 3` tries it in a few minutes.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { Type } from 'typebox'
import type { ProofOptions, Proofs } from '../../../bin/proof.ts'
import { defineJob, defineResource } from '../../../src/kernel/index.ts'
import { rig, until, type Place } from '../../jobs/rig.ts'
import { kill } from '../../jobs/victim.ts'
import { withStores } from './own-stores.ts'
import { must, runs, stage, ws } from './stage.ts'

const lot = 10_000
const page = 200
const perSec = 1_000_000 / 3600
/** Lots before anything is measured: the heap finds its size, and BullMQ's stream of events its length. */
const warmLots = 2
/** A line through fewer points says nothing of a slope. */
const leastLots = 20
/** Runs that wait: more of them, and the next ones are added later. */
const mostWaiting = 20_000

const press = defineResource({ name: 'press', capacity: 5 })
const data = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const pass = defineJob({ name: 'test.pass-by', queue: 'fast', data })
const keep = defineJob({ name: 'test.keep-count', queue: 'fast', data })
const print = defineJob({ name: 'test.print-page', queue: 'notify', data })
/** Of ten runs seven do nothing, two have an effect, one needs the press. */
const mix = [pass, pass, pass, keep, pass, print, pass, pass, keep, pass]
const declared = {
  jobs: [pass, keep, print], resources: [press], collections: [{ name: 'test.counts', indexes: [] }]
}

function bind (app: FastifyInstance): void {
  app.handleJob(pass, async () => {})
  app.handleJob(keep, async (ctx) => {
    await ctx.commit(async (session) => {
      await app.db.collection<{ _id: string }>('test.counts').updateOne(
        { _id: ctx.run.id }, { $inc: { count: 1 } }, { session, upsert: true })
    })
  })
  app.handleJob(print, async () => { await sleep(5) })
}

async function soak ({ rounds = 100, say }: ProofOptions): Promise<string> {
  return await withStores(async ({ place }) => await stage(async (app) => {
    const redis = new Redis(place.redisUrl)
    const steady = await startWorker(place, ['io', 'keeper'])
    let other = await startWorker(place, ['io'])
    try {
      for (let n = 0; n < warmLots; n++) await addLot(app, () => undefined)
      const base = await restingMemory(app, redis)
      say(`base: Redis ${megabytes(base.used)} MB, ${megabytes(base.logs)} of them logs, ` +
        `worker ${megabytes(rssOf(steady))} MB`)
      const points: number[] = []
      const sinceMs = performance.now()
      for (let n = 1; n <= rounds; n++) {
        let least = Infinity
        await addLot(app, () => { least = Math.min(least, rssOf(steady)) })
        points.push(least)
        say(`${n * lot} runs in ${seconds(sinceMs)} s: worker ${megabytes(least)} MB`)
        // What a worker leaves behind that dies amid its work is what an orphan would be.
        await kill(other)
        other = await startWorker(place, ['io'])
      }
      const tookS = seconds(sinceMs)
      const end = await restingMemory(app, redis)
      const drift = (end.used - end.logs - base.used + base.logs) / base.used
      const all = (rounds + warmLots) * lot
      await nothingIsLost(app, all)
      must(Math.abs(drift) <= 0.05, `Redis has ${megabytes(end.used)} MB, ${megabytes(end.logs)} of them logs; ` +
        `its base was ${megabytes(base.used)}, ${megabytes(base.logs)} of them logs`)
      const slope = slopeOf(points)
      const isJudged = points.length >= leastLots
      must(!isJudged || slope < 1, `the worker grows ${slope.toFixed(2)} MB each ${lot} runs`)
      return `${all} runs, ${tookS} s, ${rounds} kills, 0 lost, 0 double, 0 orphaned holders, worker ` +
        `${slope.toFixed(2)} MB each ${lot} runs${isJudged ? '' : ' (too few to judge)'}, ` +
        `Redis ${(drift * 100).toFixed(1)} % off its base`
    } finally {
      redis.disconnect()
      await Promise.all([steady, other].map(kill))
    }
  }, { place, declared }))
}

export const proofs: Proofs = { P29: Object.assign(soak, { isOnlyNamed: true }) }

/** Adds one lot at its pace and waits until little of it is left. */
async function addLot (app: FastifyInstance, look: () => void): Promise<void> {
  const sinceMs = performance.now()
  for (let from = 0; from < lot; from += page) {
    await app.tx(async (session) => {
      for (const job of declared.jobs) await app.jobs.addMany(session, job, itemsOf(job, from))
    })
    look()
    const aheadMs = (from + page) * 1000 / perSec - (performance.now() - sinceMs)
    if (aheadMs > 0) await sleep(aheadMs)
  }
  await until('the backlog is short', async () => await waiting(app, mostWaiting) < mostWaiting, 600_000)
}

function itemsOf (job: typeof pass, from: number) {
  const numbers = Array.from({ length: page }, (_, i) => from + i).filter((n) => mix[n % mix.length] === job)
  return numbers.map((n) => ({
    data: { n }, options: { ...ws, ...(job === print ? { resources: [press.name] } : {}) }
  }))
}

async function waiting (app: FastifyInstance, limit: number): Promise<number> {
  return await runs(app).countDocuments(
    { queue: { $in: ['fast', 'notify'] }, lane: 'default', state: 'pending' }, { limit })
}

/** What Redis keeps for a while of what is over, and how many of it for each queue or channel at most. */
const endedList = /:(completed|failed)$/
const logs: ReadonlyArray<[kind: RegExp, most: number]> = [
  [endedList, 1000],
  // BullMQ's stream of events, and the numbers of a live channel: both are cut by whole nodes of a hundred entries.
  [/:events$/, 10_100],
  [/:live:h:/, 1100]
]
/** A delivery. One that ended is kept as long as a list names it; some canaries may be at work. */
const mostAtWork = 10
const delivery = /:r-[0-9a-f-]{36}-\d+$/

interface Memory {
  /** Bytes. */
  used: number
  /** Bytes of what is kept for a while. */
  logs: number
}

/** Memory that Redis uses when nothing is under way; connections come and go, so the least of some looks. */
async function restingMemory (app: FastifyInstance, redis: Redis): Promise<Memory> {
  await until('quiet', async () => await app.runs.isQuiet(), 600_000)
  let least = Infinity
  for (let n = 0; n < 10; n++) {
    await sleep(1000)
    const used = /used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]
    least = Math.min(least, Number(used))
  }
  return { used: least, logs: await memoryOfLogs(redis) }
}

async function memoryOfLogs (redis: Redis): Promise<number> {
  // A scan may tell a key twice.
  const keys = new Set<string>()
  for await (const page of redis.scanStream({ count: 500 }) as AsyncIterable<string[]>) {
    for (const key of page) keys.add(key)
  }
  let [bytes, ended, deliveries] = [0, 0, 0]
  for (const key of keys) {
    const [, most] = logs.find(([kind]) => kind.test(key)) ?? []
    if (most === undefined && !delivery.test(key)) continue
    bytes += Number(await redis.memory('USAGE', key, 'SAMPLES', 0))
    if (most === undefined) deliveries++
    else {
      const count = await redis.type(key) === 'stream' ? await redis.xlen(key) : await redis.zcard(key)
      must(count <= most, `${key} has ${count} entries, at most ${most} are kept`)
      if (endedList.test(key)) ended += count
    }
  }
  must(deliveries <= ended + mostAtWork, `${deliveries} deliveries are kept, ${ended} of them ended`)
  return bytes
}

async function nothingIsLost (app: FastifyInstance, all: number): Promise<void> {
  // Canaries are runs as well.
  const own = { name: { $in: declared.jobs.map(({ name }) => name) } }
  const done = await runs(app).countDocuments({ ...own, state: 'done' })
  const added = await runs(app).countDocuments(own)
  must(done === all && added === all, `${done} of ${added} runs are done, ${all} were added`)
  const counts = await app.db.collection('test.counts').countDocuments({ count: 1 })
  const wanted = all * mix.filter((job) => job === keep).length / mix.length
  must(counts === wanted, `${counts} effects are exactly one, ${wanted} were wanted`)
  const holders = await app.db.collection('jobs.resources').countDocuments({ 'holders.0': { $exists: true } })
  must(holders === 0, `${holders} resources have orphaned holders`)
}

/** Megabytes for each lot: the straight line that lies closest to the points. */
function slopeOf (points: readonly number[]): number {
  const middle = (points.length - 1) / 2
  const mean = points.reduce((sum, point) => sum + point, 0) / points.length
  let [over, under] = [0, 0]
  for (const [x, point] of points.entries()) {
    over += (x - middle) * (point - mean)
    under += (x - middle) ** 2
  }
  return under === 0 ? 0 : over / under / 1e6
}

function rssOf ({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
const seconds = (sinceMs: number): number => Math.round((performance.now() - sinceMs) / 1000)

async function startWorker (place: Place, groups: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', '--max-semi-space-size=4', import.meta.filename,
    JSON.stringify(place), ...groups
  ], { stdio: ['pipe', 'pipe', 'inherit'] })
  await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(() => { throw new Error('the worker ended before it was ready') })
  ])
  return child
}

if (process.argv[1] === import.meta.filename) {
  const [place = '', ...groups] = process.argv.slice(2)
  await rig({ place: JSON.parse(place) as Place, groups, declared, bind })
  process.stdin.once('end', () => { process.exit(1) }).resume()
  process.stdout.write('ready\n')
}
