// Our side of the lossy jobs: the same calls as bare BullMQ gets, through the contract.
import type { FastifyInstance } from 'fastify'
import { defineJob, type JobDefinition } from '../../src/kernel/index.ts'
import { rig } from '../../test/jobs/rig.ts'
import { dataOf, noop, until, type Floor } from './floor.ts'

const lossy = defineJob({ ...noop, name: 'bench.count-lossy', lossy: true })

async function lossyApp ({ place }: Floor, role: 'server' | 'worker', onStart = () => {}): Promise<FastifyInstance> {
  return await rig({
    place,
    role,
    groups: ['io'],
    declared: { jobs: [lossy as unknown as JobDefinition] },
    bind: (app) => { if (role === 'worker') app.handleJob(lossy, async () => { onStart() }) }
  })
}

/** Jobs a second of 16 callers, each with one call at a time. */
export async function addNowSingle (floor: Floor, count: number): Promise<number> {
  const app = await lossyApp(floor, 'server')
  await app.jobs.addNow(lossy, dataOf(0), { workspaceId: 'w' })
  const began = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < count) await app.jobs.addNow(lossy, dataOf(next++), { workspaceId: 'w' })
  }))
  const rate = count / ((performance.now() - began) / 1000)
  await app.close()
  return rate
}

/** Jobs a second in bulks of 500. */
export async function addNowBulk (floor: Floor, count: number): Promise<number> {
  const app = await lossyApp(floor, 'server')
  await app.jobs.addNow(lossy, dataOf(0), { workspaceId: 'w' })
  const began = performance.now()
  await addAll(app, count)
  const rate = count / ((performance.now() - began) / 1000)
  await app.close()
  return rate
}

/** Lives a second of jobs that wait in Redis before the worker comes; from its first start to its last. */
export async function lossyLives (floor: Floor, count: number): Promise<number> {
  const sender = await lossyApp(floor, 'server')
  await addAll(sender, count)
  let started = 0
  let began = 0
  const worker = await lossyApp(floor, 'worker', () => {
    if (started++ === 0) began = performance.now()
  })
  await until(() => started >= count)
  const rate = count / ((performance.now() - began) / 1000)
  await worker.close()
  await sender.close()
  return rate
}

async function addAll ({ jobs }: FastifyInstance, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    await jobs.addNowMany(lossy, Array.from(
      { length: 500 }, (_, i) => ({ data: dataOf(from + i), options: { workspaceId: 'w' } })
    ))
  }
}
