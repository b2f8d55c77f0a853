// J7: few runs of one workspace behind many of another, against the same engine where all are of one. J8: a hundred
// equal workspaces.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from '../../test/jobs/rig.ts'
import { interleave, summarize, type Measured, type Verdict } from '../measure.ts'

const loud = 4000
const shy = 20
const tenants = 100
const ofTenant = 100
/** 50 places of 50 ms are 1,000 starts a second: the places are what is short, not the processor. */
const workMs = 50

const work = defineJob({
  name: 'bench.do-work', queue: 'fast', data: Type.Object({ ms: Type.Integer() }, { additionalProperties: false })
})

interface Started { runId: string, workspaceId: string, atMs: number }

/** An installation with one worker, for one measure. */
async function withWorker<T> (measure: (app: FastifyInstance, started: Started[]) => Promise<T>): Promise<T> {
  const started: Started[] = []
  const place = newPlace()
  const app = await rig({
    place,
    declared: { jobs: [work] },
    groups: ['io', 'keeper'],
    bind: (app) => {
      app.handleJob(work, async ({ run: { id: runId, workspaceId, data } }) => {
        started.push({ runId, workspaceId, atMs: performance.now() })
        if (data.ms > 0) await sleep(data.ms)
      })
    }
  })
  try {
    return await measure(app, started)
  } finally {
    await app.close()
    await dropPlace(place)
  }
}

async function add (app: FastifyInstance, count: number, workspaceId: string, ms: number): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += 1000) {
    const added = await app.tx(async (session) => await app.jobs.addMany(session, work,
      Array.from({ length: Math.min(1000, count - from) }, () => ({ data: { ms }, options: { workspaceId } }))))
    ids.push(...added.map(({ id }) => id))
  }
  return ids
}

/** Mean wait of the last 20 runs in ms, and the starts a second of all. */
async function behind (workspaceId: string): Promise<{ waitMs: number, perSec: number }> {
  return await withWorker(async (app, started) => {
    const sinceMs = performance.now()
    await add(app, loud, 'a', workMs)
    const ids = new Set(await add(app, shy, workspaceId, workMs))
    const committedMs = performance.now()
    await until('all runs', () => started.length === loud + shy, 120_000)
    const waits = started.filter(({ runId }) => ids.has(runId)).map(({ atMs }) => Math.max(0, atMs - committedMs))
    return {
      waitMs: waits.reduce((sum, ms) => sum + ms, 0) / shy,
      perSec: (loud + shy) / ((performance.now() - sinceMs) / 1000)
    }
  })
}

/** Jain's index of the starts of each workspace when half of all have started. */
async function jain (): Promise<number> {
  return await withWorker(async (app, started) => {
    // Nothing starts before all are there.
    const runAt = new Date(app.clock.ms() + 4000)
    await Promise.all(Array.from({ length: tenants }, async (_, n) => await app.tx(async (session) =>
      await app.jobs.addMany(session, work, Array.from({ length: ofTenant }, () =>
        ({ data: { ms: 0 }, options: { workspaceId: `t${n}`, runAt } }))))))
    await until('half of the runs', () => started.length >= tenants * ofTenant / 2, 120_000)
    const half = started.slice(0, tenants * ofTenant / 2)
    const counts = Array.from({ length: tenants }, (_, n) =>
      half.filter(({ workspaceId }) => workspaceId === `t${n}`).length)
    const sum = counts.reduce((total, count) => total + count, 0)
    await until('all runs', () => started.length === tenants * ofTenant, 120_000)
    return sum ** 2 / (tenants * counts.reduce((total, count) => total + count ** 2, 0))
  })
}

/** J7: the wait of the few, and what turns cost the whole. */
export async function j7 ({ rounds = 5 }: { rounds?: number } = {}): Promise<Verdict[]> {
  const rates = { fifo: [] as number[], fair: [] as number[] }
  const arm = (kind: 'fifo' | 'fair', workspaceId: string) => async (): Promise<number> => {
    const { waitMs, perSec } = await behind(workspaceId)
    rates[kind].push(perSec)
    return waitMs
  }
  const fifo = 'one workspace, first come first served'
  const waits = await interleave([
    { name: fifo, run: arm('fifo', 'a') }, { name: 'ours', run: arm('fair', 'b') }
  ], { rounds })
  // The first round warms up and does not count.
  const rate = (kind: 'fifo' | 'fair', name: string): Measured => summarize(name, rates[kind].slice(1))
  return [{
    id: 'J7',
    what: `mean wait of ${shy} runs behind ${loud} of another workspace`,
    unit: 'ms',
    ours: waits.get('ours') as Measured,
    baseline: waits.get(fifo) as Measured,
    must: { atMost: 0.03 },
    goal: 0.015
  }, {
    id: 'J7',
    what: 'all of them',
    unit: 'starts/s',
    ours: rate('fair', 'ours'),
    baseline: rate('fifo', fifo),
    must: { atLeast: 0.95 }
  }]
}

/** J8: whether equal workspaces get equal shares. */
export async function j8 ({ rounds = 5 }: { rounds?: number } = {}): Promise<Verdict[]> {
  const indexes = await interleave([{ name: 'ours', run: jain }], { rounds })
  return [{
    id: 'J8',
    what: `Jain's index of ${tenants} equal workspaces, half way`,
    unit: '',
    ours: indexes.get('ours') as Measured,
    baseline: summarize('all the same', [1]),
    must: { atLeast: 0.95 },
    goal: 0.99
  }]
}
