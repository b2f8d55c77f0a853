// What goes together costs less: the runs of a serial in one place, events in one transaction. And wrong clocks.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineErrors, defineEvent, defineJob, defineSubscriber, type AddOptions } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { bindEffects, declared as effectsDeclared, effectJob, effectsOf, kill, startVictim } from './victim.ts'

const Numbered = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
const queueUp = defineJob({ name: 'test.queue-up', queue: 'fast', data: Numbered, serial: () => 'row' })
const counted = defineEvent({ name: 'test.thing.counted', data: Numbered })
const tally = defineSubscriber({ name: 'test.tally-things', event: counted, together: { forMs: 200, most: 25 } })
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })

const seen: number[] = []
const tallies: number[][] = []
let atWork = 0
let overlaps = 0

function bind (app: FastifyInstance): void {
  app.handleJob(queueUp, async ({ run }) => {
    if (++atWork > 1) overlaps++
    await new Promise((resolve) => { setImmediate(resolve) })
    seen.push(run.data.n)
    atWork--
  })
  app.onEvents(tally, async (session, events) => {
    tallies.push(events.map(({ data }) => data.n))
    await effects(app).insertMany(events.map(({ id, data }) => ({ event: id, n: data.n })), { session })
    if (events.some(({ data }) => data.n < 0)) throw TestError.wrong()
  })
}

const effects = (app: FastifyInstance) => app.db.collection<{ event: string, n: number }>('test.effects')
const runs = (app: FastifyInstance) => app.db.collection<Record<string, unknown> & { _id: string }>('jobs.runs')
const quiet = async (app: FastifyInstance) => await until('quiet', async () => await app.runs.isQuiet(), 20_000)

const place = newPlace()
const app = await rig({ place, declared: { jobs: [queueUp], events: [counted], subscribers: [tally] }, bind })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})
await app.db.createCollection('test.effects')

t.test('a run whose turn comes when another of its serial ends starts in its place', async (t) => {
  const n = 70
  await app.tx(async (session) => {
    await app.jobs.addMany(session, queueUp, Array.from({ length: n }, (_, i) =>
      ({ data: { n: i }, options: { workspaceId: 'w' } })))
  })
  await until('all runs', () => seen.length === n, 20_000)
  await quiet(app)
  t.same(seen, Array.from({ length: n }, (_, i) => i))
  t.equal(overlaps, 0)
  const done = await runs(app).find({ name: queueUp.name }).toArray()
  t.ok(done.every(({ state, starts, fence, heldBy }) =>
    state === 'done' && starts === 1 && fence === 1 && heldBy === null), 'each started once')
  const released = done.filter(({ release }) => release === 1).length
  t.ok(released >= 2 && released < n / 4, `${released} of ${n} needed a release: no row is longer than 50`)
})

t.test('events that go together end in one transaction; one that fails leaves the others alone', async (t) => {
  const emit = async (n: number) => await app.tx(async (session) => await app.events.emit(
    session, counted, { n }, { type: 'thing', id: `t${n}` }, { workspaceId: n % 2 === 0 ? 'even' : 'odd' }))
  await Promise.all(Array.from({ length: 40 }, async (_, n) => await emit(n)))
  await until('40 effects', async () => await effects(app).countDocuments() === 40)
  await quiet(app)
  t.ok(tallies.length < 20, `40 events in ${tallies.length} transactions`)
  t.ok(tallies.every((one) => new Set(one.map((n) => n % 2)).size === 1), 'each of one workspace')
  t.equal(await runs(app).countDocuments({ name: tally.name, state: 'done' }), 40)

  await Promise.all([-1, 101, 103].map(emit))
  await until('two more', async () => await effects(app).countDocuments() === 42)
  await until('an end of all', async () => await runs(app).countDocuments({ name: tally.name, state: 'pending' }) === 0)
  await quiet(app)
  t.same((await effects(app).distinct('n')).filter((n) => n < 0 || n > 100), [101, 103])
  const [dead] = await runs(app).find({ name: tally.name, state: { $ne: 'done' } }).toArray()
  t.match(dead, { state: 'dead', data: { data: { n: -1 } } })
})

t.test('the clock of a process may be wrong and jump: runs start in time all the same', async (t) => {
  const { Date: RightDate } = globalThis
  let aheadMs = 0
  t.teardown(() => { globalThis.Date = RightDate })
  globalThis.Date = class extends RightDate {
    constructor (...given: [] | [number]) {
      super(given.length === 0 ? RightDate.now() + aheadMs : given[0])
    }

    static override now = (): number => RightDate.now() + aheadMs
  } as DateConstructor
  seen.length = 0
  const add = async (n: number, options: AddOptions): Promise<string> => (await app.tx(async (session) =>
    await app.jobs.add(session, queueUp, { n }, { workspaceId: 'c', serial: `c${n}`, ...options }))).id
  for (const hours of [-30, 30, 0]) {
    const nowMs = app.clock.ms()
    const soon = await add(1, { runAt: new RightDate(nowMs + 900), deadlineAt: new RightDate(nowMs + 20_000) })
    const late = await add(2, { runAt: new RightDate(nowMs + 3_600_000) })
    aheadMs = hours * 3_600_000
    t.ok(Math.abs(Date.now() - RightDate.now() - aheadMs) < 1000)
    await until('done', async () => (await runs(app).findOne({ _id: soon }))?.['state'] === 'done')
    const run = await runs(app).findOne({ _id: soon })
    const lateMs = (run?.['startedAt'] as Date).getTime() - (run?.['runAt'] as Date).getTime()
    t.ok(lateMs >= 0 && lateMs < 5000, `${hours} h off: started ${lateMs} ms after its time`)
    t.match(run, { starts: 1, crashes: 0, attempt: 0 })
    t.match(await runs(app).findOne({ _id: late }), { state: 'pending', starts: 0 })
    await runs(app).deleteOne({ _id: late })
  }
  t.same(seen, [1, 1, 1])
})

/** A module that a process loads first: its clock is off by so much from then on. */
const clockOffBy = (ms: number): string => `data:text/javascript,${encodeURIComponent(`
  const Right = Date
  globalThis.Date = class extends Right {
    constructor (...given) { super(...(given.length === 0 ? [Right.now() + ${ms}] : given)) }
    static now () { return Right.now() + ${ms} }
  }`)}`

for (const hours of [-5, 5]) {
  t.test(`a worker whose clock is ${hours} h off, beside others whose clocks are right`, async (t) => {
    const here = newPlace()
    const keeper = await rig({ place: here, groups: ['keeper'], declared: effectsDeclared, bind: bindEffects() })
    t.teardown(async () => {
      await keeper.close()
      await dropPlace(here)
    })
    const worker = await startVictim({ place: here }, { execArgv: ['--import', clockOffBy(hours * 3_600_000)] })
    t.teardown(async () => { await kill(worker) })
    const nowMs = keeper.clock.ms()
    const runAt = new Date(nowMs + 1500)
    const options = { workspaceId: 'w', runAt, deadlineAt: new Date(nowMs + 30_000) }
    await keeper.tx(async (session) => {
      await keeper.jobs.addMany(session, effectJob, Array.from({ length: 20 }, () => ({ data: { ms: 0 }, options })))
    })
    const effects = effectsOf(keeper)
    await until('all effects', async () => await effects.countDocuments({ count: 1 }) === 20, 20_000)
    await until('all ends', async () => await runs(keeper).countDocuments({ state: 'done' }) === 20)
    for (const run of await runs(keeper).find().toArray()) {
      t.match(run, { starts: 1, crashes: 0, attempt: 0 })
      const lateMs = (run['startedAt'] as Date).getTime() - runAt.getTime()
      t.ok(lateMs >= 0 && lateMs < 15_000, `started ${lateMs} ms after its time`)
      const keptMs = (run['expireAt'] as Date).getTime() - (run['endedAt'] as Date).getTime()
      t.equal(keptMs, 7 * 86_400_000)
      t.ok(Math.abs((run['endedAt'] as Date).getTime() - Date.now()) < 60_000)
    }
    const [seenWorker] = await keeper.db.collection<{ seenAt: Date, queues: object }>('jobs.workers')
      .find({ queues: { $ne: {} } }).toArray()
    t.ok(Math.abs((seenWorker?.seenAt.getTime() ?? 0) - Date.now()) < 30_000, 'it is seen alive')
  })
}
