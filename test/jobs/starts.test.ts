// Starts that are not for this worker: of a run that is too new for it, and of one that somebody else has.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { createClaimRepository } from '../../src/jobs/index.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { createStarts } from '../../plugins/queue/claims.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

interface Row { _id: string, state: string, starts: number, attempt: number, [field: string]: unknown }
const closed = { additionalProperties: false }
const old = defineJob({ name: 'test.grow-up', queue: 'fast', data: Type.Object({ n: Type.Integer() }, closed) })
const grown = defineJob({
  name: old.name, queue: 'fast', version: 2, data: Type.Object({ name: Type.String({ maxLength: 20 }) }, closed)
})
const ws = { workspaceId: 'w1' }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')

t.test('a run of a newer version goes back from an older worker, and the newer one does it', async (t) => {
  const place = newPlace()
  t.teardown(async () => { await dropPlace(place) })
  const done: string[] = []
  const older = await rig({
    place, groups: ['io'], declared: { jobs: [old] },
    bind (app) { app.handleJob(old, async () => { done.push('by the older one') }) }
  })
  t.teardown(async () => { await older.close() })
  const newer = await rig({
    place, groups: ['io', 'keeper'], declared: { jobs: [grown] },
    bind (app) { app.handleJob(grown, async ({ run }) => { done.push(run.data.name) }) }
  })
  t.teardown(async () => { await newer.close() })
  const items = Array.from({ length: 60 }, (_, i) => ({ data: { name: `n${i}` }, options: ws }))
  await newer.tx(async (session) => await newer.jobs.addMany(session, grown, items))
  await until('all done', async () => await runs(newer).countDocuments({ state: 'done' }) === 60, 30_000)
  t.same(done.toSorted(), items.map(({ data: { name } }) => name).toSorted(), 'each once, by the newer one')
  const back = await runs(newer).find({ starts: { $gt: 1 } }).toArray()
  t.ok(back.length > 0, `${back.length} met the older one first`)
  t.same(back.map(({ attempt, crashes, attempts }) => [attempt, crashes, attempts]), back.map(() => [0, 0, []]),
    'which is no failure')
  t.equal(await newer.db.collection('jobs.letters').countDocuments(), 0)
})

t.test('a run that only the slower of two workers knows comes to that one', async (t) => {
  const place = newPlace()
  t.teardown(async () => { await dropPlace(place) })
  const older = await rig({
    place, groups: ['io'], declared: { jobs: [old] }, bind (app) { app.handleJob(old, async () => undefined) }
  })
  t.teardown(async () => { await older.close() })
  const newer = await rig({
    place: { ...place, redisUrl: await slowLink(t, place.redisUrl, 20) }, groups: ['io', 'keeper'],
    declared: { jobs: [grown] }, bind (app) { app.handleJob(grown, async () => undefined) }
  })
  t.teardown(async () => { await newer.close() })
  const options = { ...ws, runAt: new Date(newer.clock.ms() + 1000) }
  const { id } = await newer.tx(async (session) => await newer.jobs.add(session, grown, { name: 'n' }, options))
  await until('done', async () => (await runs(newer).findOne({ _id: id }))?.state === 'done', 30_000)
})

t.test('a delivery that comes again takes its run from a holder that is gone, not from one that is slow', async (t) => {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared: { jobs: [old] } })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  const living = new Set(['there'])
  const { tx, clock, log } = app
  const starts = createStarts({
    claims: createClaimRepository(app.db), tx, worker: 'me', clock, log, onSuperseded: () => undefined,
    isLiving: async (worker) => living.has(worker)
  })
  const { id } = await tx(async (session) => await app.jobs.add(session, old, { n: 1 }, ws))
  const held = { state: 'running', isLive: true, release: 3, fence: 7, starts: 1, claim: 'theirs', worker: 'there' }
  await runs(app).updateOne({ _id: id }, { $set: held })
  t.equal(await starts.claim(id, 3, true), undefined)
  t.match(await runs(app).findOne({ _id: id }), held, 'its holder lives')
  living.clear()
  t.equal(await starts.claim(id, 3, false), undefined, 'a first delivery takes nothing from anybody')
  t.equal(await starts.claim(id, 2, true), undefined, 'nor does a stale one')
  t.match(await starts.claim(id, 3, true), { _id: id, worker: 'me', fence: 8, starts: 2, crashes: 1 })
  living.add('me')
  t.equal(await starts.claim(id, 3, true), undefined, 'now it has one that lives')
})

/** The same Redis, each direction late by so much. */
async function slowLink (t: Test, redisUrl: string, lateMs: number): Promise<string> {
  const { hostname, port } = new URL(redisUrl)
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('data', (bytes) => { setTimeout(() => { to.write(bytes) }, lateMs) })
      from.on('close', () => { setTimeout(() => { to.destroy() }, lateMs) }).on('error', () => undefined)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}
