// What a worker claims before its places are free, and what it does when its handlers turn slow.
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Type } from 'typebox'
import { createGate } from '../../plugins/queue/gate.ts'
import { readPayload } from '../../src/jobs/index.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

const places = 20
const data = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const job = defineJob({ name: 'test.take-turns', queue: 'mail', data })

t.test('a gate lets in as many as it has places, in order, and asks for more only where they are quick', async (t) => {
  const gate = createGate(() => 2)
  t.same([await gate.enter(10), await gate.enter(10), await gate.enter(10)], [true, true, false])
  const order: number[] = []
  const late = [1, 2].map(async (n) => { if (await gate.enter(1000)) order.push(n) })
  gate.leave(1)
  gate.leave(1)
  await Promise.all(late)
  t.same(order, [1, 2])
  t.equal(gate.ahead(), 0, 'two ends say nothing yet')
  for (let n = 0; n < 200; n++) {
    gate.leave(1)
    await gate.enter(0)
  }
  t.equal(gate.ahead(), 6, 'quick ones: three times its places')
  for (let n = 0; n < 200; n++) {
    gate.leave(15)
    await gate.enter(0)
  }
  t.equal(gate.ahead(), 2)
  for (let n = 0; n < 200; n++) {
    gate.leave(40)
    await gate.enter(0)
  }
  t.equal(gate.ahead(), 0, 'slow ones are never claimed ahead')
})

t.test('more is claimed than there are places, never more is at work, and what waits too long goes back', async (t) => {
  const place = newPlace()
  let atWork = 0
  let most = 0
  let open = true
  const ended = new Map<number, number>()
  const app = await rig({
    place, declared: { jobs: [job] }, bind (app) {
      app.handleJob(job, async ({ run }) => {
        most = Math.max(most, ++atWork)
        await until('let go', () => open, 30_000)
        atWork--
        ended.set(run.data.n, (ended.get(run.data.n) ?? 0) + 1)
      })
    }
  })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  const runs = app.db.collection('jobs.runs')
  await add(app, 0, 600)
  await until('all quick ones are done', () => ended.size === 600)
  open = false
  await add(app, 600, 200)
  await until('no place is free', () => atWork === places)
  const waiting = { state: { $in: ['pending', 'published'] }, starts: { $gt: 0 }, attempt: 0 }
  await until('what found no place is nobody\'s again', async () =>
    await runs.countDocuments({ state: 'running' }) === places && await runs.countDocuments(waiting) > 0)
  const back = await runs.countDocuments(waiting)
  t.ok(back > 0, `${back} were claimed ahead and given back, uncounted`)
  open = true
  await until('all are done', async () => await runs.countDocuments({ state: 'done' }) === 800)
  t.equal(most, places, 'never more than its places')
  t.ok([...ended.values()].every((count) => count === 1), 'each has one effect')
})

t.test('a closed schema passes data as it is; an open one loses what it does not know', async (t) => {
  const list = Type.Array(Type.Object({ a: Type.String() }))
  const open = { name: 'test.open', version: 1, data: Type.Object({ n: Type.Integer(), of: list }) }
  const given = { n: 1 }
  t.equal(readPayload({ ...job, version: 1 }, 1, given), given)
  t.same(readPayload(job, 1, { n: 1, more: 2 }), { n: 1 }, 'a member of a newer version')
  t.same(readPayload(open, 1, { n: 1, of: [{ a: 'x', b: 'y' }], z: 1 }), { n: 1, of: [{ a: 'x' }] })
  t.throws(() => readPayload(job, 1, { n: 'x' }), { code: 'jobs.schema_mismatch' })
})

async function add (app: FastifyInstance, from: number, count: number): Promise<void> {
  await app.tx(async (session) => {
    await app.jobs.addMany(session, job, Array.from({ length: count }, (_, i) => ({
      data: { n: from + i }, options: { workspaceId: 'w' }
    })))
  })
}
