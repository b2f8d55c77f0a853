import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { test, type Test } from 'tap'
import { hostOf } from '../../plugins/cache/client.ts'
import { backoffMs } from '../../plugins/entrypoint/flock.ts'
import { boundsOf, countOf, supervise } from '../../plugins/entrypoint/supervise.ts'
import { createRates } from '../../plugins/queue/rates.ts'
import { canaryProblem, createCanaries } from '../../src/jobs/canary.ts'
import { partitionOf, sharesOf, slotsWhere, spreadOf } from '../../src/jobs/partitions.ts'
import { createCanaryRepository, createRunRepository } from '../../src/jobs/repository.ts'
import { arrivalsOf, wantedOf, type Load } from '../../src/jobs/scaling.ts'
import { defineJob, queues, uuidv7 } from '../../src/kernel/index.ts'
import { bindEffects, declared, effectJob, effectsOf } from './victim.ts'
import { dropPlace, newPlace, rig, until, type Place, type RigOptions } from './rig.ts'

async function inPlace (t: Test): Promise<Place> {
  const place = newPlace()
  t.teardown(async () => { await dropPlace(place) })
  return place
}

async function start (t: Test, options: RigOptions): Promise<FastifyInstance> {
  const app = await rig({ declared, ...(options.role === 'server' ? {} : { bind: bindEffects() }), ...options })
  let isClosed = false
  t.teardown(async () => { if (!isClosed) await app.close() })
  const close = app.close.bind(app)
  app.close = (async () => {
    isClosed = true
    await close()
  }) as typeof app.close
  return app
}

const bulkJob = defineJob({ ...effectJob, name: 'test.have-effect-slowly', queue: 'bulk' })
const withBulk = { ...declared, jobs: [...declared.jobs, bulkJob] }

function bindBoth (app: FastifyInstance): void {
  bindEffects()(app)
  app.handleJob(bulkJob, async () => undefined)
}

const workspaces = (count: number): string[] => Array.from({ length: count }, (_, i) => `w${i}`)

async function addTo ({ tx, jobs }: FastifyInstance, names: readonly string[]): Promise<void> {
  await tx(async (session) => {
    await jobs.addMany(session, effectJob, names.map((workspaceId) => ({ data: { ms: 0 }, options: { workspaceId } })))
  })
}

async function prefixesIn ({ redisUrl, name }: Place): Promise<string[]> {
  const redis = new Redis(redisUrl)
  const keys = await redis.keys(`${name}:{j*}:fast:*`)
  await redis.quit()
  return [...new Set(keys.map((key) => /\{(j\d+)\}/.exec(key)?.[1] ?? ''))].sort()
}

test('every run has one partition, and a process shares its places out exactly', async (t) => {
  const counts = new Map<number, number>()
  for (let i = 0; i < 16_000; i++) {
    const partition = partitionOf(uuidv7(), 16)
    counts.set(partition, (counts.get(partition) ?? 0) + 1)
  }
  t.equal(counts.size, 16)
  t.ok([...counts.values()].every((count) => Math.abs(count - 1000) < 200), 'even within a fifth')
  for (const count of [1, 2, 3, 16, 256]) {
    const all = Array.from({ length: count }, (_, p) => slotsWhere(count, (one) => one === p) ?? []).flat()
    t.equal(new Set(all).size, count === 1 ? 0 : 256, `${count} partitions have all slots, each once`)
    for (const queue of queues) {
      const shares = sharesOf(20, spreadOf(queue, count))
      t.equal(shares.reduce((sum, one) => sum + one, 0), 20)
      t.ok(shares.every((one) => one > 0) || spreadOf(queue, count) > 20)
    }
  }
  t.equal(spreadOf('video', 16), 1, 'a queue of one place is in one partition')
  t.equal(hostOf('redis-cluster://me:secret@a:1,b:2'), 'a:1, b:2', 'a cluster is named without its secret')
})

test('partitions: each has its keeper and its keys, and another number of them drains nothing', async (t) => {
  const place = await inPlace(t)
  const names = workspaces(64)
  const four = await start(t, { place, partitions: 4 })
  await addTo(four, names)
  await until('all runs are done', async () => await effectsOf(four).countDocuments() === names.length)
  t.same(await prefixesIn(place), ['j0', 'j1', 'j2', 'j3'])
  const leases = await Promise.all([0, 1, 2, 3].map(async (p) => await four.leases.holder(`jobs.keeper:${p}`)))
  t.notOk(leases.includes(null), 'one process has the keepers of all four')
  await four.close()

  // Published under four partitions, and nobody was there to take them.
  const keeper = await start(t, { place, partitions: 4, groups: ['keeper'] })
  await keeper.db.collection<{ _id: string }>('jobs.workers').insertOne({
    _id: 'w', host: 'x', pid: 1, startedAt: 1, codeVersion: '0', queues: { fast: 400 },
    handles: [{ name: effectJob.name, version: 1 }], seenAt: new Date(Date.now() + 60_000)
  } as never)
  await addTo(keeper, names)
  const runs = keeper.db.collection('jobs.runs')
  await until('all are published', async () => await runs.countDocuments({ state: 'published' }) === names.length)
  await keeper.db.collection<{ _id: string }>('jobs.workers').deleteOne({ _id: 'w' })
  await keeper.close()

  const two = await start(t, { place, partitions: 2 })
  await until('what was elsewhere is done', async () => await effectsOf(two).countDocuments() === 2 * names.length)
  t.equal(await effectsOf(two).countDocuments({ count: { $ne: 1 } }), 0, 'each once')
})

test('partitions: the commit wakes the keeper of its workspace in another process at once', async (t) => {
  const place = await inPlace(t)
  const keeper = await start(t, { place, partitions: 8, groups: ['keeper'] })
  await until('it has all partitions', async () => {
    const names = Array.from({ length: 8 }, (_, p) => `jobs.keeper:${p}`)
    const held = await Promise.all(names.map(async (name) => await keeper.leases.holder(name)))
    return held.every((one) => one !== null)
  })
  const worker = await start(t, { place, partitions: 8, groups: ['io'] })
  const server = await start(t, { place, partitions: 8, role: 'server' })
  const times: number[] = []
  await sleep(600)
  for (const [i, name] of workspaces(12).entries()) {
    await addTo(server, [name])
    times.push(await until('it is done', async () => await effectsOf(worker).countDocuments() === i + 1))
  }
  const slow = times.filter((ms) => ms > 250)
  t.ok(slow.length <= 3, `12 runs in ${times.map(Math.round).join(', ')} ms: a poll would take 250 in the middle`)
})

const load: Load = {
  queue: 'fast', meanRunS: 0.5, arrivalsPerS: 10, backlog: 0, drainS: 60, concurrency: 50, isDueSoon: false, current: 1
}

test('scaling: the signal follows its formula and gives its reason', async (t) => {
  const cases: Array<[Partial<Load>, number, RegExp]> = [
    [{ arrivalsPerS: 0 }, 0, /nothing is due/],
    [{ arrivalsPerS: 0, isDueSoon: true }, 1, /due within/],
    [{}, 1, /10\.0\/s come in/],
    // 0.5 s x (10/s + 6000 / 60 s) / (50 x 0.8) = 1.375
    [{ backlog: 6000 }, 2, /^6000 at work/],
    // The same in ten seconds: 0.5 s x (10/s + 600/s) / 40 = 7.6
    [{ backlog: 6000, drainS: 10 }, 8, /^6000 at work/],
    [{ queue: 'video', concurrency: 1, meanRunS: 60, arrivalsPerS: 0.1, backlog: 12 }, 23, /60\.000 s each/],
    [{ backlog: 100_000, meanRunS: 30, concurrency: 1 }, 256, /would be needed/]
  ]
  for (const [given, required, reason] of cases) {
    const wanted = wantedOf({ ...load, ...given })
    t.equal(wanted.required, required, JSON.stringify(given))
    t.match(wanted.reason, reason)
  }
  t.equal(arrivalsOf(5, { backlog: 10, atMs: 1000 }, undefined), 5)
  t.equal(arrivalsOf(5, { backlog: 30, atMs: 3000 }, { backlog: 10, atMs: 1000 }), 15, 'the backlog grew by 10/s')
  t.equal(arrivalsOf(5, { backlog: 0, atMs: 3000 }, { backlog: 90, atMs: 1000 }), 0, 'never below nothing')
  let nowMs = 0
  const rates = createRates(() => nowMs)
  for (nowMs = 0; nowMs < 120_000; nowMs += 500) rates.ended('fast', 20)
  const { endsPerS: perS = 0, meanRunMs } = rates.all()['fast'] ?? {}
  t.equal(meanRunMs, 20)
  t.ok(Math.abs(perS - 2) < 0.3, `${perS} a second over the last minute`)
})

test('scaling: an installation without workers asks for some; held runs ask for none', async (t) => {
  const place = await inPlace(t)
  const server = await start(t, { place, role: 'server' })
  t.match(await server.scaling(), [{ queue: 'fast', required: 0, current: 0 }])
  await addTo(server, workspaces(3))
  await server.tx(async (session) => {
    const runAt = new Date(server.clock.ms() + 60_000)
    await server.jobs.add(session, effectJob, { ms: 0 }, { workspaceId: 'w', runAt })
  })
  await sleep(2100)
  t.match(await server.scaling(), [{ queue: 'fast', required: 1, current: 0, reason: /^3 at work/ }])
  await server.db.collection('jobs.runs').updateMany({}, { $set: { heldBy: 'target' } })
  await sleep(2100)
  t.match(await server.scaling(), [{ required: 0 }])

  const worker = await start(t, { place, groups: ['io', 'keeper'] })
  await server.db.collection('jobs.runs').updateMany({}, { $set: { heldBy: null } })
  await until('the three are done', async () => await effectsOf(server).countDocuments() === 3)
  const text = await worker.metrics.metrics()
  t.match(text, /switchyard_jobs_workers_required\{queue="fast",role="worker"\} 1/, 'one run is due within two minutes')
  t.match(text, /switchyard_jobs_keeper\{partition="0",role="worker"\} 1/)
  t.match(text, /switchyard_redis_memory_bytes\{role="worker"\} \d{5}/)
  t.match(text, /switchyard_jobs_relay_batch_count\{(queue="fast"|role="worker"|,)+\} [1-3]/)
  t.match(text, /switchyard_jobs_window\{queue="fast",partition="0",role="worker"\} 150/)
  t.match(text, /switchyard_jobs_retry_budget\{queue="fast",partition="0",role="worker"\} 10/)
})

test('canary: sent into each used queue, told once when it does not come back, and well again after it', async (t) => {
  const place = await inPlace(t)
  const server = await start(t, { place, role: 'server', declared: withBulk })
  let aheadMs = 0
  const clock = { now: () => new Date(server.clock.ms() + aheadMs), ms: () => server.clock.ms() + aheadMs }
  const repository = createCanaryRepository(server.db)
  const parts = {
    canaries: repository, runs: createRunRepository(server.db), events: server.events, tx: server.tx, clock,
    queues: () => ['fast', 'bulk'] as const, onAdded: () => {}
  }
  const canaries = createCanaries(parts)
  const problem = async () => canaryProblem(await repository.latest(), clock.ms(), clock.ms())
  await Promise.all([canaries.turn(), createCanaries(parts).turn()])
  const sent = (await repository.latest()).map(({ queue, state }) => `${queue} ${state}`)
  t.same(sent.sort(), ['bulk pending', 'fast pending'])
  t.equal(await server.db.collection('jobs.runs').countDocuments(), 2, 'two keepers send one each')
  t.equal(await problem(), undefined, 'two minutes are not over')

  aheadMs = 121_000
  t.match(await problem(), /no canary of .* was done in 2 min/)
  await canaries.turn()
  await createCanaries(parts).turn()
  const told = await server.db.collection('jobs.events').find({ type: 'jobs.canary.failed' }).toArray()
  t.same(told.map(({ data }) => data.queue).sort(), ['bulk', 'fast'], 'once each, whoever looks')
  t.equal(await server.db.collection('jobs.runs').countDocuments(), 2, 'nothing piles up behind them')

  await start(t, { place, groups: ['io', 'cpu', 'keeper'], declared: withBulk, bind: bindBoth })
  await until('the canaries come back', async () => await problem() === undefined)
  aheadMs = 1_000_000
  t.match(canaryProblem(await repository.latest(), clock.ms(), 0), /no keeper/)
  await canaries.turn()
  t.equal(await server.db.collection('jobs.runs').countDocuments({ state: 'done' }), 0, 'old ones are forgotten')
})

test('supervise: as many as the signal asks for, replaced at the limit, restarted with back-off', async (t) => {
  const file = join(t.testdir(), 'said.json')
  const say = (said: object): void => { writeFileSync(file, JSON.stringify({ required: 1, bytes: 1, ...said })) }
  say({})
  const lines: Array<Record<string, unknown>> = []
  const ending = new AbortController()
  const running = supervise({
    least: 1, most: 2, queues: ['fast'], file: join(import.meta.dirname, 'supervised.ts'), args: [file], env: {},
    memoryBytes: 1000, everyMs: 100, say: (line) => { lines.push(line as Record<string, unknown>) }
  }, ending.signal)
  const pids = (): number[] => readFileSync(`${file}.pids`, 'utf8').trim().split('\n').map(Number)
  const living = (): number[] => existsSync(`${file}.pids`) ? pids().filter((pid) => existsSync(`/proc/${pid}`)) : []
  const told = (msg: string): number => lines.filter((line) => line['msg'] === msg).length

  await until('one is there', () => living().length === 1)
  say({ required: 7 })
  await until('no more than its most', () => told('another number of workers') === 1 && living().length === 2)
  say({ required: 2, bytes: 2000 })
  await until('the big one is replaced', () => pids().length === 3 && living().length === 2)
  t.notOk(living().includes(pids()[0] ?? 0))
  say({ required: 2 })
  process.kill(living()[0] ?? 0, 'SIGKILL')
  const ms = await until('another one is there', () => pids().length === 4 && living().length === 2)
  t.ok(ms > 500, `it waited ${Math.round(ms)} ms`)
  say({ required: 0 })
  await until('fewer are enough', () => living().length === 1)
  say({ isBroken: true })
  const before = lines.length
  process.kill(living()[0] ?? 0, 'SIGKILL')
  await until('it tried twice', () => pids().length >= 6)
  t.same(lines.slice(before).flatMap(({ inMs }) => inMs ?? []).slice(0, 2), [1000, 2000])
  say({})
  await until('it is well again', () => living().length === 1)
  ending.abort()
  await running
  t.same(living(), [], 'they end with it')

  const bounds = { least: 1, most: 8, queues: ['fast'] }
  t.equal(countOf([{ queue: 'fast', required: 9 }], bounds, 4), 4, 'one a core at most')
  t.same(boundsOf('1..4'), { least: 1, most: 4 })
  t.same(boundsOf('3'), { least: 3, most: 3 })
  for (const text of ['', 'n', '0..2', '4..2', 'true']) t.throws(() => boundsOf(text), { message: /--supervise takes/ })
  t.same([1, 2, 3, 9].map(backoffMs), [1000, 2000, 4000, 30_000])
})
