// P7: MongoDB's leader steps down again and again while work is added, done and watched.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Counter } from 'prom-client'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import { defineTopic, uuidv7 } from '../../../src/kernel/index.ts'
import { testStores } from '../../stores.ts'
import { until } from '../../jobs/rig.ts'
import { declared, effectJob, kill, startVictim } from '../../jobs/victim.ts'
import { noneFailed, startLoad } from './load.ts'
import { allOnce, must, runs, stage, ws } from './stage.ts'
import { startThreeNodes } from './three-nodes.ts'

interface Thing { _id: string, version: number, isShown: boolean }

const topic = defineTopic('test.things:{ownerId}', {
  class: 'state', source: 'document', kinds: { thing: Type.Unknown() }, rate: { perKeyPerSec: 5 }
})
const collections = [...declared.collections, { name: 'test.things', indexes: [] }]
const things = (app: FastifyInstance) => app.db.collection<Thing>('test.things')

export const proofs: Proofs = {
  async P7 ({ rounds = 10, say }) {
    const dir = mkdtempSync(join(tmpdir(), 'switchyard-proof-'))
    const nodes = await startThreeNodes(dir)
    const place = { ...testStores(), mongoUrl: nodes.url, name: `j${randomBytes(6).toString('hex')}` }
    const shown = new Set<string>()
    try {
      return await stage(async (app) => {
        const workers = await Promise.all([1, 2].map(async () =>
          await startVictim({ place, groups: ['io', 'keeper'] })))
        try {
          await until('the listener listens', async () => await resyncs(app) === 1)
          const ids: string[] = []
          const load = startLoad(20, async () => { ids.push(...await addThing(app)) })
          for (let round = 1; round <= rounds; round++) {
            await sleep(2000)
            const sinceMs = performance.now()
            const leader = await nodes.stepDown()
            const tookMs = Math.round(performance.now() - sinceMs)
            await goesOn(app)
            say(`step-down ${round} of ${rounds}: ${leader} leads after ${tookMs} ms, work goes on ` +
              `${Math.round(performance.now() - sinceMs - tookMs)} ms later, ${ids.length} runs so far`)
          }
          await sleep(2000)
          await load.stop()
          noneFailed(load)
          // What was added and not answered counts as well; canaries of queues that nobody consumes here wait rightly.
          const added = await runs(app).find({ name: effectJob.name }, { projection: { _id: 1 } }).toArray()
          const all = added.map(({ _id }) => _id)
          must(ids.every((id) => all.includes(id)), 'an answered run is not in the store')
          await allOnce(app, all, 120_000)
          must(all.length === await things(app).countDocuments() * perCall, 'a run stands without what it belongs to')
          await until('all things are shown', async () => shown.size === await things(app).countDocuments(), 30_000)
          must(await resyncs(app) === 1, 'the change stream did not go on from its token')
          must(workers.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null), 'a worker ended')
          return `${rounds} step-downs of 3 nodes, ${all.length} runs, 0 lost, 0 double, ` +
            `${shown.size} changes seen, the stream goes on by its token each time`
        } finally {
          await Promise.all(workers.map(kill))
        }
      }, { place, declared: { ...declared, collections, topics: [topic] }, bind: (app) => { bindThings(app, shown) } })
    } finally {
      await nodes.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

const perCall = 5

/** What came to pass and what follows from it, in one transaction. */
async function addThing (app: FastifyInstance): Promise<string[]> {
  const added = await app.tx(async (session) => {
    await things(app).insertOne({ _id: uuidv7(), version: 1, isShown: true }, { session })
    return await app.jobs.addMany(session, effectJob,
      Array.from({ length: perCall }, () => ({ data: { ms: 100 }, options: ws })))
  })
  return added.map(({ id }) => id)
}

function bindThings (app: FastifyInstance, shown: Set<string>): void {
  app.live.bind(topic, {
    collection: 'test.things',
    match: { isShown: true },
    params: async (documents) => documents.map(() => ['all']),
    present ({ _id }) {
      shown.add(_id)
      return [{ kind: 'thing', key: _id, data: {} }]
    }
  })
}

/** How often the listener had to begin anew instead of going on. */
async function resyncs (app: FastifyInstance): Promise<number> {
  const counter = app.metrics.getSingleMetric('switchyard_live_listener_resyncs_total') as Counter
  return (await counter.get()).values[0]?.value ?? 0
}

/** A run that is added now is done. */
async function goesOn (app: FastifyInstance): Promise<void> {
  const [id = ''] = await addThing(app)
  await until('work goes on', async () => (await runs(app).findOne({ _id: id }))?.['state'] === 'done', 30_000)
}
