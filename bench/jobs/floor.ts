// What the arms share: a place of their own in the stores, jobs that do nothing, and bare BullMQ with equal options.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue, Worker, type Job, type WorkerOptions } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { Type } from 'typebox'
import { newRun } from '../../src/jobs/sender.ts'
import type { RunRow } from '../../src/jobs/run.ts'
import { defineJob, uuidv7 } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, type Place } from '../../test/jobs/rig.ts'
import type { Measured } from '../measure.ts'

export const kept = { age: 3600, count: 1000 }
export const c = 50

export const noop = defineJob({
  name: 'bench.do-nothing',
  queue: 'fast',
  data: Type.Object({ n: Type.Integer(), text: Type.String({ maxLength: 200 }) }, { additionalProperties: false })
})

/** The payload of both sides: about 200 bytes, of which BullMQ carries all and we only a reference. */
export const dataOf = (n: number) => ({ n, text: 'x'.repeat(180) })

export interface Floor { place: Place, redis: Redis }

export async function withFloor<T> (work: (floor: Floor) => Promise<T>): Promise<T> {
  const place = newPlace()
  const redis = new Redis(place.redisUrl, { maxRetriesPerRequest: null })
  try {
    return await work({ place, redis })
  } finally {
    redis.disconnect()
    await dropPlace(place)
  }
}

/** An app of the engine with the job that does nothing, or what else it should do. */
export async function engine (
  place: Place, handler: (n: number) => void = () => {},
  { role = 'worker', groups = ['io', 'keeper'] }: { role?: 'server' | 'worker', groups?: readonly string[] } = {}
): Promise<FastifyInstance> {
  return await rig({
    place,
    role,
    groups,
    declared: { jobs: [noop] },
    bind: (app) => {
      if (role === 'worker') app.handleJob(noop, async (ctx) => { handler(ctx.run.data.n) })
    }
  })
}

/** Runs as `add` writes them, of ten workspaces. */
export function rowsOf (count: number, runAt: Date): RunRow[] {
  return Array.from({ length: count }, (_, n) => newRun({
    _id: uuidv7(runAt.getTime()),
    workspaceId: `w${n % 10}`,
    name: noop.name,
    v: 1,
    data: dataOf(n),
    queue: 'fast',
    lane: 'default',
    cost: 1,
    runAt,
    createdAt: runAt,
    dataHash: 'x'
  }))
}

export async function writeRuns ({ db }: FastifyInstance, rows: readonly RunRow[]): Promise<void> {
  const runs = db.collection<RunRow>('jobs.runs')
  for (let from = 0; from < rows.length; from += 5000) {
    await runs.insertMany(rows.slice(from, from + 5000), { ordered: false })
  }
}

/** A queue of bare BullMQ, of the same version, on the same Redis. */
export function bareQueue ({ place, redis }: Floor): Queue {
  return new Queue(`bare-${randomUUID()}`, { connection: redis, prefix: place.name })
}

/**
 * Its worker with the options of ours. It asks for the version, as it does by default: where it does not know it, it
 * blocks for a second at least, and delayed jobs are late.
 */
export function bareWorker (
  { place, redis }: Floor, name: string, work: (job: Job) => Promise<unknown>, options: Partial<WorkerOptions> = {}
): Worker {
  return new Worker(name, work, {
    connection: redis, prefix: place.name, concurrency: c, lockDuration: 10_000, stalledInterval: 5000,
    removeOnComplete: kept, removeOnFail: kept, drainDelay: 5, ...options
  })
}

/** Waits for a condition at little cost; throws after five minutes. */
export async function until (holds: () => boolean | Promise<boolean>, lookMs = 2): Promise<void> {
  const sinceMs = performance.now()
  while (!await holds()) {
    if (performance.now() - sinceMs > 300_000) throw new Error('an arm of the bench does not come to an end')
    await sleep(lookMs)
  }
}

export function quantile (values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN
}

export function pick (measured: Map<string, Measured>, name: string): Measured {
  const found = measured.get(name)
  if (found === undefined) throw new Error(`no arm ${name}`)
  return found
}
