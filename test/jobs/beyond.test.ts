// Runs of newcomers where others have all places: handed to a worker beside Redis, bounded, each started once.
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { createBeyond } from '../../plugins/queue/beyond.ts'
import { createHandover, type Handover } from '../../plugins/queue/handover.ts'
import { createWorkersView } from '../../plugins/queue/workers-view.ts'
import type { RunRow, WorkerRepository, WorkerRow } from '../../src/jobs/index.ts'
import { defineJob, type Bus } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const places = 50
const most = 6

t.test('a newcomer starts beside places that others hold for long, in another process too', async (t) => {
  const hold = defineJob({
    name: 'test.hold', queue: 'fast', data: Type.Object({ ms: Type.Integer() }, { additionalProperties: false })
  })
  const place = newPlace()
  const declared = { jobs: [hold] }
  let held = new AbortController()
  const starts = new Map<string, number>()
  function bind (app: FastifyInstance): void {
    app.handleJob(hold, async ({ run, signal }) => {
      starts.set(run.id, (starts.get(run.id) ?? 0) + 1)
      await sleep(run.data.ms, undefined, { signal: AbortSignal.any([signal, held.signal]) }).catch(() => undefined)
    })
  }
  const keeper = await rig({ place, declared, bind, groups: ['keeper'] })
  const worker = await rig({ place, declared, bind, groups: ['io'] })
  const add = async (workspaceId: string, count: number): Promise<void> => {
    const many = Array.from({ length: count }, () => ({ data: { ms: 25_000 }, options: { workspaceId } }))
    await keeper.tx(async (session) => await keeper.jobs.addMany(session, hold, many))
  }
  const runs = keeper.db.collection<RunRow>('jobs.runs')
  const running = async (workspaceId: string): Promise<number> =>
    await runs.countDocuments({ state: 'running', workspaceId })
  try {
    await add('a', 400)
    await until('all places are held', async () => await running('a') === places)
    await add('b', 1)
    await until('b starts', async () => await running('b') === 1, 5000)
    t.equal(await running('a'), places)

    for (let n = 0; n < 2 * most; n++) await add(`c${n}`, 1)
    const all = async (): Promise<number> => await runs.countDocuments({ state: 'running', name: hold.name })
    await until('all that is beyond is taken', async () => await all() === places + most)
    await add('d', 1)
    await sleep(1500)
    t.equal(await all(), places + most, 'no more than an eighth')

    const others = { name: hold.name, workspaceId: { $ne: 'a' } }
    const ended = held
    held = new AbortController()
    ended.abort()
    await until('the places are held anew', async () =>
      await runs.countDocuments({ ...others, state: { $in: ['running', 'done'] } }) === 2 * most + 2)
    held.abort()
    await until('who came later ends', async () => await runs.countDocuments({ ...others, state: 'done' }) ===
      2 * most + 2, 30_000)
    const rows = await runs.find(others).toArray()
    t.ok(rows.every((row) => row.starts === 1 && starts.get(row._id) === 1), 'a delivery finds its run taken')
  } finally {
    held.abort()
    await runs.updateMany({ state: 'pending' }, { $set: { state: 'cancelled' } })
    await Promise.all([keeper.close(), worker.close()])
    await dropPlace(place)
  }
})

t.test('a queue of a few places, one of quick runs and one that ends have nothing beyond', async (t) => {
  let [count, isOpen] = [places, true]
  const claimed: string[] = []
  const beyond = createBeyond({
    starts: { claim: async (id: string) => { claimed.push(id) } } as never, executor: {} as never,
    places: () => count, isOpen: () => isOpen, log
  })
  t.equal(beyond.start('r1', 1), true)
  count = 7
  t.equal(beyond.start('r2', 1), false)
  count = places
  isOpen = false
  t.equal(beyond.start('r3', 1), false)
  await beyond.settled()
  t.same(claimed, ['r1'])
})

t.test('what goes wrong beyond the places is noted, and its place is free again', async (t) => {
  const warnings: unknown[] = []
  const beyond = createBeyond({
    starts: { claim: async () => { throw new Error('away') } } as never, executor: {} as never,
    places: () => 8, isOpen: () => true, log: { ...log, warn: (fields: object) => { warnings.push(fields) } }
  })
  t.equal(beyond.start('r1', 1), true)
  t.equal(beyond.start('r2', 1), false, 'one of eight')
  await beyond.settled()
  t.match(warnings, [{ err: { message: 'away' }, run: 'r1' }])
  t.equal(beyond.start('r2', 1), true)
  await beyond.settled()
})

t.test('a run is handed to the worker that it is for, here without a detour', async (t) => {
  const listeners: Array<(data: Record<string, unknown>) => void> = []
  let sent = 0
  const bus: Bus = {
    send (_kind, data) {
      sent++
      for (const listener of listeners) listener(data)
    },
    on (_kind, listener) {
      listeners.push(listener)
      return () => { listeners.splice(listeners.indexOf(listener), 1) }
    }
  }
  const taken: string[] = []
  const take = (by: string) => ({ id }: Handover) => { taken.push(`${by} ${id}`) }
  const [one, other] = [createHandover(bus, 'w1', take('w1')), createHandover(bus, 'w2', take('w2'))]
  one.send({ worker: 'w1', queue: 'fast', id: 'r1', release: 1 })
  t.equal(sent, 0)
  one.send({ worker: 'w2', queue: 'fast', id: 'r2', release: 1 })
  t.same([taken, sent], [['w1 r1', 'w2 r2'], 1])
  other.close()
  one.send({ worker: 'w2', queue: 'fast', id: 'r3', release: 1 })
  t.equal(taken.length, 2)
})

t.test('the workers that can do a run take turns', async (t) => {
  const now = new Date()
  const row = (_id: string, queue: string, version: number) => ({
    _id, codeVersion: '1', queues: { [queue]: 50 }, handles: [{ name: 'test.hold', version }], seenAt: now
  }) as unknown as WorkerRow
  const view = createWorkersView({
    workers: {
      list: async () => [row('w1', 'fast', 1), row('w2', 'fast', 2), row('w3', 'mail', 2), row('w4', 'fast', 2)]
    } as unknown as WorkerRepository,
    clock: { now: () => now, ms: () => now.getTime() },
    isGone: () => false
  })
  await view.refresh()
  const four = (v: number, queue = 'fast') => new Set(Array.from({ length: 4 }, () =>
    view.nextFor({ name: 'test.hold', v, queue })))
  t.same(four(1), new Set(['w1', 'w2', 'w4']))
  t.same(four(2), new Set(['w2', 'w4']))
  t.same(four(3), new Set([undefined]))
  t.same(four(1, 'image'), new Set([undefined]))
  t.same([view.canHandle('test.hold', 2, 'fast'), view.canHandle('test.hold', 3, 'fast')], [true, false])
})
