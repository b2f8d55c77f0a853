// A run that kills the process it runs in, and steps that outlive their process.
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { createQuarantine } from '../../src/jobs/index.ts'
import { until } from './rig.ts'
import { effectsOf, kill } from './victim.ts'
import {
  addOne, effectJob, keepWorkers, keeperOf, killItself, limits, startWild, stepEffects, stepsToWalk, walkFar
} from './wild.ts'

type Row = Record<string, unknown> & { _id: string, starts: number, steps?: object }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const letters = (app: FastifyInstance) => app.db.collection('jobs.letters')

t.test('P8: a run that kills takes two workers with it, and nobody else is condemned', async (t) => {
  const { place, app } = await keeperOf(t)
  const workers = await keepWorkers(2, { place, limits })
  t.teardown(workers.stop)
  const good = await Promise.all(Array.from({ length: 3 }, async () => await addOne(app, effectJob, { ms: 100 })))
  const id = await addOne(app, killItself, { n: 1 })
  await until('dead', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'dead', 60_000)
  const doneOf = async () => await runs(app).countDocuments({ _id: { $in: good }, state: 'done' })
  await until('the others done', async () => await doneOf() === 3, 60_000)
  t.equal(await effectsOf(app).countDocuments({ count: 1 }), 3)
  t.match(await runs(app).findOne({ _id: id }), { starts: 3, crashes: 2 })
  t.same(workers.deaths, ['SIGKILL', 'SIGKILL'])
  t.match(await letters(app).find().toArray(), [{ class: 'poison', runId: id }])
  // So many that both workers get some of them: the one that buried the first and the one that only heard of it.
  const again = await Promise.all(Array.from({ length: 4 }, async () => await addOne(app, killItself, { n: 2 })))
  const dead = async () => await runs(app).countDocuments({ _id: { $in: again }, state: 'dead' })
  await until('dead as well', async () => await dead() === 4, 60_000)
  t.match(await runs(app).findOne({ _id: again[0] ?? '' }), { starts: 1 }, 'once known, a job starts solo at once')
  t.equal(workers.deaths.length, 2, 'and costs no worker')
})

t.test('P24: each step has its effect once, wherever the worker is killed', async (t) => {
  const { place, app } = await keeperOf(t)
  const id = await addOne(app, walkFar, { pauseMs: 250 })
  const stepsDone = async () => Object.keys((await runs(app).findOne({ _id: id }))?.steps ?? {}).length
  for (const wanted of [1, 5, 8]) {
    const worker = await startWild({ place, limits })
    await until(`step ${wanted}`, async () => await stepsDone() >= wanted, 60_000)
    await kill(worker)
  }
  const last = await startWild({ place, limits })
  t.teardown(async () => { await kill(last) })
  await until('done', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 60_000)
  const effects = await stepEffects(app).find().toArray()
  t.equal(effects.length, stepsToWalk)
  t.ok(effects.every(({ count }) => count === 1), `each once: ${effects.map(({ count }) => count).join(', ')}`)
  t.equal(await letters(app).countDocuments(), 0, 'a killed parent of a solo child condemns nobody')
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
  quarantine.add({ name: 'a', dataHash: 'new', failedAt: new Date(3000) })
  quarantine.set([])
  t.ok(quarantine.needsSolo(run('new')), 'a list that was read before the letter stood says nothing')
  for (let n = 0; n < 2; n++) quarantine.set([])
  t.notOk(quarantine.needsSolo(run('new')), 'but it is believed in the end')
})
