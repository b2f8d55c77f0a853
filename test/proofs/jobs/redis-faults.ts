// Redis is killed under load, away for minutes, or restarted while everybody waits for it: P4, P5, P6.
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import { defineEvent, systemActor } from '../../../src/kernel/index.ts'
import { until, type Place } from '../../jobs/rig.ts'
import { declared, effectJob, kill, startVictim } from '../../jobs/victim.ts'
import { noneFailed, percentile, startLoad, type Load } from './load.ts'
import { watchMachine, type Machine } from './machine.ts'
import { withStores, type OwnRedis } from './own-stores.ts'
import { addEffects, allOnce, must, runs, stage, ws } from './stage.ts'

const operator = systemActor('the proof', ws.workspaceId)
const hourMs = 3_600_000
/** So long after Redis is back work may stand still. */
const backWithinMs = 5000

export const proofs: Proofs = {
  async P4 ({ rounds = 5, say }) {
    return await withStores(async ({ place, redis }) => await stage(async (app) =>
      await withWorkers(place, 2, async (workers) => {
        const ids: string[] = []
        const load = startLoad(20, async () => { ids.push(...await addEffects(app, 10, 100)) })
        const waits: number[] = []
        for (let round = 1; round <= rounds; round++) {
          waits.push(await crashUnderLoad(app, redis))
          isAlive(workers)
          say(`round ${round} of ${rounds}: ${ids.length} runs so far, both workers start again in ${waits.at(-1)} ms`)
        }
        await load.stop()
        noneFailed(load)
        await allOnce(app, ids, 120_000)
        return `${rounds} kills under load, ${ids.length} runs, 0 lost, 0 double, ` +
          `both workers go on within ${Math.max(...waits)} ms`
      }), { place, declared }))
  },

  /** Rounds are minutes without Redis. */
  async P5 ({ rounds = 5, say }) {
    return await withStores(async ({ place, redis }) => await stage(async (app) =>
      await withWorkers(place, 1, async (workers) => {
        const { ratio, away } = await compare(app, redis, { awayMs: rounds * 60_000, say })
        const waiting = await runs(app).countDocuments({ state: { $in: ['pending', 'published', 'running'] } })
        must(waiting > rounds * 60 * perSec / 4, `only ${waiting} runs wait for Redis`)
        await redis.start()
        const drainedMs = await until('drained', async () => await app.runs.isQuiet(), 120_000)
        isAlive(workers)
        const found = await runs(app).find({ name: effectJob.name, state: { $ne: 'cancelled' } }).toArray()
        await allOnce(app, found.map(({ _id }) => _id), 1000)
        return `${rounds} min without Redis, ${away.calls()} calls, 0 errors, p99 ${ratio.toFixed(2)} times, ` +
          `${waiting} runs drained in ${Math.round(drainedMs / 1000)} s, 0 lost, 0 double`
      }), { place, declared: declaredOfApi, bind: bindApi }))
  },

  async P6 ({ rounds = 20, say }) {
    return await withStores(async ({ place, redis }) => await stage(async (app) =>
      await withWorkers(place, 2, async (workers) => {
        const ids: string[] = []
        let worstMs = 0
        for (let round = 0; round < rounds; round++) {
          // At another moment of the blocking read each time, by either signal, away for a moment or for seconds.
          await sleep(800 + round % 7 * 900)
          await redis.kill(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
          await sleep(round % 4 * 1000)
          await redis.start()
          const backMs = app.clock.ms()
          const [id = ''] = await addEffects(app, 1, 0)
          ids.push(id)
          await until('the run ended', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 60_000)
          const waitMs = await startOf(app, id) - backMs
          say(`restart ${round + 1} of ${rounds}: the first run starts after ${waitMs} ms`)
          must(waitMs <= backWithinMs, `restart ${round + 1}: the first run starts after ${waitMs} ms`)
          worstMs = Math.max(worstMs, waitMs)
        }
        isAlive(workers)
        await allOnce(app, ids, 1000)
        return `${rounds} restarts under idle workers, the first run starts within ${worstMs} ms each time`
      }), { place, declared }))
  }
}

async function withWorkers<T> (
  place: Place, count: number, work: (workers: readonly ChildProcess[]) => Promise<T>
): Promise<T> {
  const workers = await Promise.all(Array.from({ length: count }, async () =>
    await startVictim({ place, groups: ['io', 'keeper'] })))
  try {
    return await work(workers)
  } finally {
    await Promise.all(workers.map(kill))
  }
}

/** No worker was replaced. */
function isAlive (workers: readonly ChildProcess[]): void {
  must(workers.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null), 'a worker ended')
}

/** Kills Redis while both workers work, starts it again; how long the slower one started nothing. */
async function crashUnderLoad (app: FastifyInstance, redis: OwnRedis): Promise<number> {
  const working = async (): Promise<number> => (await runs(app).distinct('worker', { state: 'running' })).length
  await until('both at work', async () => await working() >= 2, 30_000)
  await sleep(2000)
  await redis.kill()
  await sleep(1000)
  await redis.start()
  const backMs = app.clock.ms()
  await sleep(backWithinMs + 500)
  const first = await runs(app).aggregate<{ _id: string, at: Date }>([
    { $match: { startedAt: { $gt: new Date(backMs) }, worker: { $type: 'string' } } },
    { $group: { _id: '$worker', at: { $min: '$startedAt' } } }
  ]).toArray()
  must(first.length === 2, `${first.length} of 2 workers start again`)
  const waitMs = Math.max(...first.map(({ at }) => at.getTime())) - backMs
  must(waitMs <= backWithinMs, `a worker starts nothing for ${waitMs} ms`)
  return waitMs
}

async function startOf (app: FastifyInstance, id: string): Promise<number> {
  return (await runs(app).findOne({ _id: id }))?.startedAt.getTime() ?? Infinity
}

const perSec = 40
const orderPlaced = defineEvent({
  name: 'test.order.placed', data: Type.Object({ n: Type.Integer() }, { additionalProperties: false })
})
const declaredOfApi = {
  ...declared, events: [orderPlaced], collections: [...declared.collections, { name: 'test.orders', indexes: [] }]
}

/** What people ask for: most of them change something, some put a date in a diary, some think better of it. */
function bindApi (app: FastifyInstance): void {
  app.post<{ Params: { n: string } }>('/orders/:n', async ({ params }) => await app.tx(async (session) => {
    const n = Number(params.n)
    const { insertedId } = await app.db.collection('test.orders').insertOne({ n }, { session })
    const subject = { type: 'order', id: insertedId.toHexString(), version: 1 }
    await app.events.emit(session, orderPlaced, { n }, subject, ws)
    return await app.jobs.add(session, effectJob, { ms: 5 }, ws)
  }))
  app.post<{ Params: { n: string } }>('/schedules/:n', async ({ params }) => {
    const spec = { everyMs: hourMs }
    return await app.schedules.add(operator, { name: `s.${params.n}`, job: effectJob.name, data: { ms: 5 }, spec })
  })
  app.post('/regrets', async () => {
    const options = { ...ws, runAt: new Date(app.clock.ms() + hourMs) }
    const { id } = await app.tx(async (session) => await app.jobs.add(session, effectJob, { ms: 5 }, options))
    await app.runControl.cancel(operator, id, 'the proof')
    return { id }
  })
}

let calls = 0

/** Requests for so long, as many with Redis as without. */
async function callAway (app: FastifyInstance, ms: number): Promise<Load> {
  const load = startLoad(perSec, async (nth) => {
    const n = calls++
    const url = nth % 20 === 0 ? `/schedules/${n}` : nth % 10 === 5 ? '/regrets' : `/orders/${n}`
    const { statusCode, body } = await app.inject({ method: 'POST', url })
    must(statusCode === 200, `${url.split('/')[1] ?? ''}: ${statusCode} ${body.slice(0, 200)}`)
  })
  await sleep(ms)
  await load.stop()
  return load
}

/** How much slower calls are when Redis is away. */
async function compare (
  app: FastifyInstance, redis: OwnRedis, { awayMs, say }: { awayMs: number, say: (line: string) => void }
): Promise<{ ratio: number, away: Load }> {
  const machine = watchMachine()
  try {
    await (await callAway(app, 20_000)).stop()
    const normal = await callAway(app, 90_000)
    noneFailed(normal)
    say(`with Redis: ${told(normal, machine)}`)
    await redis.kill()
    const away = await callAway(app, awayMs)
    noneFailed(away)
    say(`without: ${told(away, machine)}`)
    const ratio = calmP99(away, machine) / calmP99(normal, machine)
    must(ratio <= 1.2, `p99 is ${ratio.toFixed(2)} times what it was: ${told(normal, machine)}, ` +
      `without Redis ${told(away, machine)}`)
    return { ratio, away }
  } finally {
    await machine.stop()
  }
}

/** Of the calls during which the machine itself did not stand still. */
function calmP99 (load: Load, machine: Machine): number {
  const calm = machine.calm(load)
  must(calm.length >= load.times.length * 0.99, `the machine stood still: ${told(load, machine)}`)
  return percentile(calm, 99)
}

function told (load: Load, machine: Machine): string {
  const calm = machine.calm(load)
  const [half, most, worst] = [50, 99, 100].map((percent) => percentile(calm, percent).toFixed(1))
  return `${load.times.length} calls, ${load.times.length - calm.length} of them while the machine stood still, ` +
    `of the others p50 ${half} ms, p99 ${most} ms, worst ${worst} ms`
}
