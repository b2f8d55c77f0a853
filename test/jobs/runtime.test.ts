// What a worker does with handlers that ignore their end, lost locks, a lagging event loop.
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Type } from 'typebox'
import { nextConcurrency } from '../../src/jobs/index.ts'
import { bullPrefix } from '../../plugins/queue/connection.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { kill } from './victim.ts'
import { addOne, effectJob, ignoreAll, keeperOf, limits, startWild } from './wild.ts'

type Row = Record<string, unknown> & { _id: string }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const letters = (app: FastifyInstance) => app.db.collection('jobs.letters')

t.test('a handler that ignores its signal costs its process, not the runs beside it', async (t) => {
  const { place, app } = await keeperOf(t)
  const worker = await startWild({ place, limits })
  t.teardown(async () => { await kill(worker) })
  const exited = once(worker, 'exit')
  const beside = await addOne(app, effectJob, { ms: 2500 })
  const id = await addOne(app, ignoreAll, { n: 1 })
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
        signal.throwIfAborted()
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
  const id = await addOne(app, hold, {})
  await until('at work', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'running')
  // What a stalled worker finds: its lock is another one's.
  const key = `${bullPrefix(place.name)}:fast:r-${id}-1`
  await app.redis.set(`${key}:lock`, 'somebody else')
  await until('done by another start', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 60_000)
  t.same(reasons, ['lock_lost'])
  t.match(await runs(app).findOne({ _id: id }), { starts: 2, attempt: 0, crashes: 0 })

  await addOne(app, block, { ms: 2600 })
  const workers = app.db.collection<{ _id: string, queues: Record<string, number> }>('jobs.workers')
  const shown = async (): Promise<number> => (await workers.findOne())?.queues['fast'] ?? 50
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
