import { Registry } from 'prom-client'
import { test } from 'tap'
import { createQueueMetrics } from '../../plugins/queue/metrics.ts'
import { createCounted } from '../../plugins/queue/rates.ts'
import { createScaling } from '../../plugins/queue/scaling.ts'
import { createCanaries } from '../../src/jobs/canary.ts'
import { rhythms } from '../../src/jobs/queues.ts'
import {
  createCanaryRepository, createLoadRepository, createRunRepository, createWorkerRepository
} from '../../src/jobs/repository.ts'
import type { RunRow } from '../../src/jobs/run.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig } from './rig.ts'
import { declared, effectJob } from './victim.ts'

const bulkJob = defineJob({ ...effectJob, name: 'test.have-effect-slowly', queue: 'bulk' })
const withBulk = { ...declared, jobs: [...declared.jobs, bulkJob] }

test('scaling: canaries ask for no worker, the slot of a schedule within two minutes does', async (t) => {
  const place = newPlace()
  const server = await rig({ place, role: 'server', declared: withBulk })
  t.teardown(async () => {
    await server.close()
    await dropPlace(place)
  })
  const { db, clock, tx, events, processes } = server
  const jobsOf = (queue: string): string[] => withBulk.jobs.filter((job) => job.queue === queue).map(({ name }) => name)
  const queues = () => ['fast', 'bulk'] as const
  /** Each time without a memory of the time before. */
  const ask = async (drainS = 60): Promise<string[]> => {
    const wanted = await createScaling({
      load: createLoadRepository(db), workers: createWorkerRepository(db), clock, drainS,
      isGone: processes.isGone, queues, jobsOf
    })()
    return wanted.map(({ queue, required, reason }) => `${queue} ${required} ${reason.slice(0, 14)}`)
  }
  const nothing = ['fast 0 nothing is due', 'bulk 0 nothing is due']

  await createCanaries({
    canaries: createCanaryRepository(db), runs: createRunRepository(db), events, tx, clock, queues, onAdded: () => {}
  }).turn()
  const runs = db.collection('jobs.runs')
  t.equal(await runs.countDocuments({ name: 'jobs.run-canary', state: 'pending' }), 2)
  t.same(await ask(), nothing, 'that wait')
  await runs.updateMany({}, { $set: { heldBy: 'no_worker' } })
  t.same(await ask(), nothing, 'that wait for a worker')
  await runs.updateMany({}, { $set: { state: 'running', heldBy: null, isLive: true } })
  t.same(await ask(), nothing, 'that are at work')
  await tx(async (session) => { await server.jobs.add(session, effectJob, { ms: 0 }, { workspaceId: 'w' }) })
  t.same(await ask(), ['fast 1 1 at work or w', 'bulk 0 nothing is due'], 'they hide no work')
  await tx(async (session) => {
    const data = { ms: 0 }
    await server.jobs.addMany(session, effectJob, Array.from({ length: 399 }, () => ({ data })))
  })
  // A run takes a second where none was seen: 400 of them in 60 s, or in one.
  t.match(await ask(), [/^fast 1 400 at work/])
  t.match(await ask(1), [new RegExp(`^fast ${Math.ceil(400 / (rhythms.fast.concurrency * 0.8))} 400 at work`)])
  await runs.updateMany({ name: effectJob.name }, { $set: { runAt: new Date(clock.ms() + 60_000) } })
  t.same(await ask(), ['fast 1 a run is due w', 'bulk 0 nothing is due'])
  await runs.deleteMany({ name: effectJob.name })

  const schedules = db.collection<{ _id: string }>('jobs.schedules')
  await schedules.insertOne({
    _id: 's', name: 's', job: bulkJob.name, isEnabled: true, nextSlotAt: new Date(clock.ms() + 60_000)
  } as never)
  t.same(await ask(), ['fast 0 nothing is due', 'bulk 1 a run is due w'], 'the queue of its job')
  await schedules.updateOne({ _id: 's' }, { $set: { isEnabled: false } })
  t.same(await ask(), nothing, 'paused')
  await schedules.updateOne({ _id: 's' }, { $set: { isEnabled: true, nextSlotAt: new Date(clock.ms() + 180_000) } })
  t.same(await ask(), nothing, 'in three minutes')

  const { rates, counted } = createCounted(createQueueMetrics(new Registry()))
  const run = { queue: 'fast', lane: 'default', runAt: clock.now() } as Partial<RunRow> as RunRow
  for (const name of ['jobs.run-canary', effectJob.name]) {
    const began = { ...run, name }
    t.same(Object.keys(rates.all()), [], 'no rate of canaries')
    counted.started(began)
    counted.ended(began, 'done', performance.now())
  }
  t.same(Object.keys(rates.all()), ['fast'])
})
