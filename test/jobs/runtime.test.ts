// What a worker does when work goes wrong: poison, handlers that ignore their end, lost locks, a lagging event loop.
import { setTimeout as sleep } from 'node:timers/promises'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { createQuarantine, nextConcurrency } from '../../src/jobs/index.ts'
import { bullPrefix } from '../../plugins/queue/connection.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { effectsOf, kill } from './victim.ts'
import {
  bindWild, declared, effectJob, ignoreAll, keepWorkers, killItself, startWild, stepEffects, stepsToWalk, walkFar,
  wildJobs
} from './wild.ts'

type Row = Record<string, unknown> & { _id: string, starts: number, steps?: object }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const letters = (app: FastifyInstance) => app.db.collection('jobs.letters')
const ws = { workspaceId: 'w' }
const limits = { loopMs: 1500, giveUpMs: 500, soloMb: 96 }
const littleMemory = ['--max-old-space-size=128']

async function add (app: FastifyInstance, job: unknown, data: object): Promise<string> {
  return (await app.tx(async (session) => await app.jobs.add(session, job as typeof killItself, data as { n: 1 }, ws))).id
}

/** The keeper alone, in this process, which nothing kills. */
async function keeperOf (t: Test) {
  const place = newPlace()
  const app = await rig({ place, groups: ['keeper'], declared, bind: bindWild })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  return { place, app }
}

t.test('P8: a run that kills takes two workers with it, and nobody else is condemned', async (t) => {
  const { place, app } = await keeperOf(t)
  const workers = await keepWorkers(1, { place, limits }, littleMemory)
  t.teardown(workers.stop)
  const good = await Promise.all(Array.from({ length: 20 }, async () => await add(app, effectJob, { ms: 100 })))
  const wild = await Promise.all(wildJobs.map(async (job) => await add(app, job, { n: 1 })))
  await until('all dead', async () => await runs(app).countDocuments({ _id: { $in: wild }, state: 'dead' }) === 3, 40_000)
  await until('the others done', async () => await runs(app).countDocuments({ _id: { $in: good }, state: 'done' }) === 20)
  t.equal(await effectsOf(app).countDocuments({ count: 1 }), 20)
  const dead = await runs(app).find({ _id: { $in: wild } }).toArray()
  t.ok(dead.every(({ starts }) => starts <= 3), `starts: ${dead.map(({ starts }) => starts).join(', ')}`)
  t.ok(workers.deaths.length <= 2, `workers lost: ${workers.deaths.join(', ')}`)
  t.match(await letters(app).find().toArray(), [{ class: 'poison' }, { class: 'poison' }, { class: 'poison' }])
  t.equal(await letters(app).countDocuments(), 3)

  const lost = workers.deaths.length
  const again = await add(app, killItself, { n: 2 })
  await until('dead as well', async () => (await runs(app).findOne({ _id: again }))?.['state'] === 'dead', 20_000)
  t.match(await runs(app).findOne({ _id: again }), { starts: 1 }, 'once known, a job starts solo at once')
  t.equal(workers.deaths.length, lost, 'and costs no worker')
})

t.test('P24: each step has its effect once, wherever the worker is killed', async (t) => {
  const { place, app } = await keeperOf(t)
  const id = await add(app, walkFar, { pauseMs: 300 })
  const stepsDone = async () => Object.keys((await runs(app).findOne({ _id: id }))?.steps ?? {}).length
  for (const wanted of [1, 4, 7]) {
    const worker = await startWild({ place, limits })
    await until(`step ${wanted}`, async () => await stepsDone() >= wanted, 20_000)
    await kill(worker)
  }
  const last = await startWild({ place, limits })
  t.teardown(async () => { await kill(last) })
  await until('done', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 20_000)
  const effects = await stepEffects(app).find().toArray()
  t.equal(effects.length, stepsToWalk)
  t.ok(effects.every(({ count }) => count === 1), `each once: ${effects.map(({ count }) => count).join(', ')}`)
  t.equal(await letters(app).countDocuments(), 0, 'a killed parent of a solo child condemns nobody')
})

t.test('a handler that ignores its signal costs its process, not the runs beside it', async (t) => {
  const { place, app } = await keeperOf(t)
  const worker = await startWild({ place, limits })
  t.teardown(async () => { await kill(worker) })
  const exited = once(worker, 'exit')
  const beside = await add(app, effectJob, { ms: 2500 })
  const id = await add(app, ignoreAll, { n: 1 })
  const [code] = await exited as [number]
  t.equal(code, 3, 'it asked to be replaced')
  t.match(await runs(app).findOne({ _id: beside }), { state: 'done', starts: 1, crashes: 0 })
  t.match(await letters(app).find({ runId: id }).toArray(), [{ class: 'timeout' }])
})

t.test('a lost lock ends the start, uncounted; a busy loop takes less', async (t) => {
  const hold = defineJob({ name: 'test.hold-on', queue: 'fast', data: Type.Object({}) })
  const block = defineJob({ name: 'test.block-loop', queue: 'mail', data: Type.Object({ ms: Type.Integer() }) })
  const reasons: unknown[] = []
  const place = newPlace()
  const app = await rig({
    place, declared: { jobs: [hold, block] }, bind (app) {
      app.handleJob(hold, async ({ signal }) => {
        if (reasons.length > 0) return
        await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
        reasons.push((signal.reason as { reason: string }).reason)
      })
      app.handleJob(block, async ({ run }) => {
        const untilMs = performance.now() + run.data.ms
        while (performance.now() < untilMs);
      })
    }
  })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  const id = await add(app, hold, {})
  await until('at work', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'running')
  // What a stalled worker finds: its lock is another one's.
  const key = `${bullPrefix(place.name)}:fast:r-${id}-1`
  await app.redis.set(`${key}:lock`, 'somebody else')
  await until('done by another start', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 20_000)
  t.same(reasons, ['lock_lost'])
  t.match(await runs(app).findOne({ _id: id }), { starts: 2, attempt: 0, crashes: 0 })

  await add(app, block, { ms: 2600 })
  const shown = async (): Promise<number> =>
    (await app.db.collection<{ _id: string, queues: Record<string, number> }>('jobs.workers').findOne())?.queues['fast'] ?? 50
  await until('less', async () => await shown() < 50)
  await until('all again', async () => await shown() === 50)
})

t.test('how much a lagging worker takes', async (t) => {
  const next = (current: number, lagMs: number) => nextConcurrency({ most: 50, current, lagMs, lockMs: 10_000 })
  t.equal(next(50, 2001), 47, 'a step of 5 %')
  t.equal(next(50, 2000), 50)
  t.equal(next(2, 9000), 1)
  t.equal(next(1, 9000), 1, 'never none')
  t.equal(next(47, 10), 50)
  t.equal(nextConcurrency({ most: 1, current: 1, lagMs: 90_000, lockMs: 40_000 }), 1)
})

t.test('who starts solo', async (t) => {
  const quarantine = createQuarantine()
  const run = (dataHash: string, crashes = 0, name = 'a') => ({ name, dataHash, crashes })
  t.same([0, 1, 2, 3].map((crashes) => quarantine.needsSolo(run('x', crashes))), [false, false, true, true])
  quarantine.add({ name: 'a', dataHash: 'bad', failedAt: new Date(1000) })
  t.ok(quarantine.needsSolo(run('bad')) && quarantine.needsSolo(run('good')), 'all of its job')
  t.notOk(quarantine.needsSolo(run('bad', 0, 'b')), 'no other job')
  for (const ms of [1100, 1200, 1300]) quarantine.survived('a', ms)
  t.ok(quarantine.needsSolo(run('bad')), 'what killed is never trusted')
  t.notOk(quarantine.needsSolo(run('good')), 'three went well: the job is trusted')
  quarantine.set([{ name: 'a', dataHash: 'bad', failedAt: new Date(2000) }])
  t.ok(quarantine.needsSolo(run('good')), 'a later death ends that')
  quarantine.set([])
  t.notOk(quarantine.needsSolo(run('bad')), 'a discarded letter does too')
  await sleep(0)
})
