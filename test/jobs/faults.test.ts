// Real processes killed by signals, a Redis that is emptied or restarted: nothing is lost, no effect is repeated.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { findStores } from '../../bin/services.ts'
import { launch } from '../../bin/services/store.ts'
import { createCandidateRepository, createRelayRepository } from '../../src/jobs/index.ts'
import { dropPlace, newPlace, rig, until, type Place } from './rig.ts'
import { bindEffects, declared, effectJob, effectsOf, kill, startVictim, type VictimOptions } from './victim.ts'

const runsOf = (app: FastifyInstance) => app.db.collection<Record<string, unknown> & {
  _id: string, startedAt: Date
}>('jobs.runs')

async function add (app: FastifyInstance, count: number, ms: number): Promise<string[]> {
  const added = await app.tx(async (session) => await app.jobs.addMany(session, effectJob,
    Array.from({ length: count }, () => ({ data: { ms }, options: { workspaceId: 'w' } }))))
  return added.map(({ id }) => id)
}

async function allDone (app: FastifyInstance, ids: readonly string[], withinMs = 30_000): Promise<void> {
  await until(
    'all done', async () => await runsOf(app).countDocuments(
      { _id: { $in: [...ids] }, state: 'done' }
    ) === ids.length, withinMs
  )
}

/** 0 lost, 0 double, 0 condemned. */
async function check (t: Test, app: FastifyInstance, ids: readonly string[]): Promise<void> {
  t.equal(
    await effectsOf(app).countDocuments({ _id: { $in: [...ids] }, count: 1 }), ids.length, 'each effect exactly once'
  )
  t.equal(await app.db.collection('jobs.letters').countDocuments(), 0, 'nobody is condemned')
}

const place = newPlace()
const survivor = await rig({ place, groups: ['io', 'keeper'], declared, bind: bindEffects() })
t.teardown(async () => {
  await survivor.close()
  await dropPlace(place)
})

const rounds: Array<{ what: string, victim: Omit<VictimOptions, 'place'>, withinMs: number }> = [
  { what: 'killed from outside', victim: {}, withinMs: 3000 },
  { what: 'dies inside commit()', victim: { death: 'in-commit', after: 5 }, withinMs: 3000 },
  {
    what: 'dies after its commit, before the acknowledgement', victim: {
      death: 'after-commit', after: 5
    }, withinMs: 3000
  },
  {
    what: 'of another host dies inside commit()', victim: {
      death: 'in-commit', after: 5, host: 'elsewhere'
    }, withinMs: 16_000
  }
]

for (const { what, victim, withinMs } of rounds) {
  t.test(`P1, P2: a worker ${what}`, async (t) => {
    const child = await startVictim({ place, ...victim })
    await until('two workers', async () => await survivor.db.collection('jobs.workers').countDocuments() >= 2)
    await sleep(100)
    const exited = once(child, 'exit')
    const ids = await add(survivor, 100, 300)
    await until(
      'in flight', async () => await runsOf(survivor).countDocuments(
        { state: 'running', worker: { $ne: survivor.processes.id } }
      ) >= 5
    )
    if (victim.death === undefined) child.kill('SIGKILL')
    await exited
    const diedMs = survivor.clock.ms()
    await allDone(survivor, ids)
    await check(t, survivor, ids)
    const crashed = await runsOf(survivor).find({ _id: { $in: ids }, crashes: { $gt: 0 } }).toArray()
    t.ok(crashed.length > 0 || victim.death === 'after-commit', `${crashed.length} runs were under way`)
    const worstMs = Math.max(0, ...crashed.map(({ startedAt }) => startedAt.getTime() - diedMs))
    t.ok(worstMs <= withinMs, `work goes on after ${worstMs} ms`)
  })
}

t.test('P3: a keeper that dies between MongoDB and Redis; the next one delivers', async (t) => {
  const here = newPlace()
  t.teardown(async () => { await dropPlace(here) })
  const keeper = await startVictim({ place: here, groups: ['keeper'] })
  const app = await rig({ place: here, role: 'server', declared })
  t.teardown(async () => { await app.close() })
  const relay = createRelayRepository(app.db)
  await until('a leader', async () => await app.leases.holder('jobs.keeper:0') !== null)
  const ids = await add(app, 200, 0)
  await kill(keeper)
  // What its death leaves: published in the store, unknown to Redis.
  const ask = { queue: 'fast', lane: 'default', workspaces: 1, from: '', without: [], runs: 200 } as const
  const due = await createCandidateRepository(app.db).due([ask], app.clock.now())
  t.equal((await relay.publish(due, 'a dead pass', app.clock.now())).length, 200)
  const next = await rig({ place: here, groups: ['io', 'keeper'], declared, bind: bindEffects() })
  t.teardown(async () => { await next.close() })
  await allDone(app, ids, 15_000)
  await check(t, app, ids)
  t.equal(await runsOf(app).countDocuments({ release: 1 }), 200, 'by the release of the dead one')
})

t.test('a clean stop costs no attempt and gives the lease back at once', async (t) => {
  const here = newPlace()
  t.teardown(async () => { await dropPlace(here) })
  const first = await startVictim({ place: here, groups: ['io', 'keeper'] })
  const app = await rig({ place: here, role: 'server', declared })
  t.teardown(async () => { await app.close() })
  const ids = await add(app, 60, 500)
  await until('at work', async () => await runsOf(app).countDocuments({ state: 'running' }) > 0)
  const exited = once(first, 'exit')
  first.kill('SIGTERM')
  const second = await rig({ place: here, groups: ['io', 'keeper'], declared, bind: bindEffects() })
  t.teardown(async () => { await second.close() })
  const [code] = await exited as [number]
  t.equal(code, 0)
  await allDone(app, ids)
  await check(t, app, ids)
  t.equal(await runsOf(app).countDocuments({ $or: [{ attempt: { $gt: 0 } }, { crashes: { $gt: 0 } }] }), 0)
})

t.test('Redis', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-redis-'))
  const [, store] = await findStores({ dir, persist: false, say: () => undefined })
  let redis = await launch(store)
  const here: Place = newPlace({ redisUrl: store.url })
  const app = await rig({ place: here, groups: ['io', 'keeper'], declared, bind: bindEffects() })
  t.teardown(async () => {
    await app.close()
    await dropPlace(here)
    await redis.stop()
    rmSync(dir, { recursive: true })
  })

  t.test('emptied under load: the window is published again', async (t) => {
    const ids = await add(app, 400, 150)
    await until('at work', async () => await runsOf(app).countDocuments({ state: 'published' }) > 20)
    const client = new Redis(store.url)
    await client.flushall()
    client.disconnect()
    const sinceMs = performance.now()
    await allDone(app, ids)
    await check(t, app, ids)
    t.comment(`drained ${Math.round(performance.now() - sinceMs)} ms after the flush`)
  })

  t.test('emptied while no worker listens: the keeper alone publishes again', async (t) => {
    const away = newPlace({ redisUrl: store.url })
    const keeper = await rig({ place: away, groups: ['keeper'], declared, bind: bindEffects() })
    t.teardown(async () => {
      await keeper.close()
      await dropPlace(away)
    })
    // One that is seen and never takes anything.
    await keeper.db.collection<{ _id: string }>('jobs.workers').insertOne({
      _id: 'w', host: 'x', pid: 1, startedAt: 1, codeVersion: '0', queues: { fast: 20 },
      handles: [{ name: effectJob.name, version: 1 }], seenAt: new Date(Date.now() + 600_000)
    } as never)
    await add(keeper, 20, 0)
    const published = async (release: number): Promise<number> =>
      await runsOf(keeper).countDocuments({ state: 'published', release })
    await until('published', async () => await published(1) === 20)
    const client = new Redis(store.url)
    await client.flushall()
    client.disconnect()
    await until('published again', async () => await published(2) === 20, 15_000)
  })

  t.test('P4, P6: killed and started empty: adds go on, workers go on without a restart', async (t) => {
    const early = await add(app, 200, 150)
    await until('at work', async () => await runsOf(app).countDocuments({ _id: { $in: early }, state: 'running' }) > 0)
    process.kill(redis.pid, 'SIGKILL')
    await redis.exited
    const sinceMs = performance.now()
    const late = await add(app, 50, 0)
    t.ok(performance.now() - sinceMs < 1500, 'an add does not wait for Redis')
    await sleep(1000)
    redis = await launch(store)
    const backMs = app.clock.ms()
    await allDone(app, [...early, ...late], 30_000)
    await check(t, app, [...early, ...late])
    const first = await runsOf(app).find({ _id: { $in: late } }).sort({ startedAt: 1 }).limit(1).toArray()
    const waitMs = (first[0]?.startedAt.getTime() ?? Infinity) - backMs
    t.ok(waitMs <= 5000, `the first run starts ${waitMs} ms after Redis is back`)
  })

  t.test('P6: restarted while the workers wait idle', async (t) => {
    await sleep(500)
    process.kill(redis.pid, 'SIGKILL')
    await redis.exited
    redis = await launch(store)
    const sinceMs = performance.now()
    const ids = await add(app, 1, 0)
    await allDone(app, ids, 10_000)
    t.ok(performance.now() - sinceMs <= 5000, `started after ${Math.round(performance.now() - sinceMs)} ms`)
  })
})
