// P20: letters replayed at a rate, three times. P23: cancelled or effective, never both. P25: a rolling deploy.
import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import { runCanary } from '../../../src/jobs/index.ts'
import { defineErrors, defineEvent, defineJob, defineSubscriber, systemActor } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until, type RigOptions } from '../../jobs/rig.ts'

type Say = (line: string) => void

const closed = { additionalProperties: false }
const Numbered = Type.Object({ n: Type.Integer() }, closed)
const TestError = defineErrors('test', { broken: { kind: 'conflict', message: 'It is broken.' } })
const operator = systemActor('the proof', '')
const workspaceId = 'w1'
const hourMs = 3_600_000

function must (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

type Open = (options?: Omit<RigOptions, 'place'>) => Promise<FastifyInstance>

/** Apps of one place, closed and dropped when `work` has ended. */
async function onPlace<T> (work: (open: Open) => Promise<T>): Promise<T> {
  const place = newPlace()
  const opened: FastifyInstance[] = []
  try {
    return await work(async (options = {}) => {
      const app = await rig({ place, ...options })
      opened.push(app)
      return app
    })
  } finally {
    for (const app of opened.reverse()) await app.close()
    await dropPlace(place)
  }
}

const runsOf = (app: FastifyInstance) => app.db.collection<Run>('jobs.runs')

interface Run { _id: string, name: string, state: string, startedAt: Date, replays?: number }

async function addAll (app: FastifyInstance, job: typeof fail, count: number, runAt?: Date): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += 2000) {
    const options = { workspaceId, ...(runAt === undefined ? {} : { runAt }) }
    const items = Array.from({ length: Math.min(2000, count - from) }, (_, i) => ({ data: { n: from + i }, options }))
    const added = await app.tx(async (session) => await app.jobs.addMany(session, job, items))
    ids.push(...added.map(({ id }) => id))
  }
  return ids
}

const fail = defineJob({ name: 'test.fail-always', queue: 'mail', data: Numbered })

/** So many letters, three rounds at a rate; answers the rates that were seen. */
export async function replayInALoop (letters: number, ratePerS: number, say: Say): Promise<number[]> {
  return await onPlace(async (open) => {
    const app = await open({
      groups: ['io', 'keeper'],
      declared: { jobs: [fail] },
      bind: (worker) => { worker.handleJob(fail, async () => { throw TestError.broken() }) }
    })
    const filter = { name: fail.name }
    const dead = async (round: number) => await app.db.collection('jobs.letters').countDocuments(
      { state: 'open', name: fail.name, round })
    await addAll(app, fail, letters)
    await until('the first deaths', async () => await dead(0) === letters, 120_000)
    const rates: number[] = []
    for (let round = 1; round <= 3; round++) {
      await app.letters.replay(operator, { filter, ratePerS })
      await until(`round ${round}`, async () => await dead(round) === letters, letters / ratePerS * 2000 + 30_000)
      rates.push(await rateOf(app, round))
      say(`round ${round}: ${letters} letters at ${rates.at(-1)?.toFixed(2)} a second`)
    }
    const besides = { name: { $ne: runCanary.name } }
    const before = await runsOf(app).countDocuments(besides)
    const answer = await app.letters.replay(operator, { filter, ratePerS })
    const id = 'id' in answer ? answer.id : ''
    await until('the last replay ended', async () => (await runsOf(app).findOne({ _id: id }))?.state === 'done', 60_000)
    must(await runsOf(app).countDocuments(besides) === before + 1, 'a letter was replayed a fourth time')
    must(await dead(3) === letters, 'a letter was closed and not replayed')
    const [one] = await app.db.collection<{ _id: string }>('jobs.letters').find({ state: 'open' }).limit(1).toArray()
    const code = await app.letters.replay(operator, { ids: [one?._id ?? ''] }).then(
      () => 'replayed', (error: { code: string }) => error.code)
    must(code === 'jobs.replay_loop', `a fourth replay by hand: ${code}`)
    return rates
  })
}

/** Starts a second of one round. */
async function rateOf (app: FastifyInstance, replays: number): Promise<number> {
  const ends = await Promise.all([1, -1].map(async (order) =>
    await runsOf(app).find({ name: fail.name, replays }).sort({ startedAt: order as 1 }).limit(1).toArray()))
  const [first, last] = ends.map(([run]) => run?.startedAt.getTime() ?? 0) as [number, number]
  const count = await runsOf(app).countDocuments({ name: fail.name, replays })
  return (count - 1) * 1000 / (last - first)
}

const wait = defineJob({ name: 'test.wait-long', queue: 'fast', data: Numbered })
const effect = defineJob({ name: 'test.have-effect', queue: 'fast', data: Numbered })

interface Cancelled { waitingMs: number, abortMs: number, cancelled: number, effective: number }

/** So many waiting runs at once, fifty running ones, and so many that are cancelled around their commit. */
export async function cancelEverywhere (waiting: number, racing: number, say: Say): Promise<Cancelled> {
  return await onPlace(async (open) => {
    const declared = { jobs: [wait, effect], collections: [{ name: 'test.effects', indexes: [] }] }
    const app = await open({ role: 'server', declared })
    await addAll(app, effect, waiting, new Date(app.clock.ms() + hourMs))
    const sinceMs = performance.now()
    const { cancelled } = await app.runControl.cancelMany(operator, { name: effect.name }, 'the proof')
    const waitingMs = Math.round(performance.now() - sinceMs)
    say(`${cancelled} waiting runs are cancelled in ${waitingMs} ms`)
    must(cancelled === waiting, `${cancelled} of ${waiting} were cancelled`)
    await open({ groups: ['io', 'keeper'], declared, bind: bindRaces })
    const these = { name: effect.name }
    // What is due now would start at once, if it could.
    await runsOf(app).updateMany({ ...these, dataHash: { $lt: '1' } }, { $set: { runAt: app.clock.now() } })
    const endedMs = Math.round(await until('all ended', async () =>
      await runsOf(app).countDocuments({ ...these, state: 'cancelled' }) === waiting, 60_000))
    say(`they have ended ${endedMs} ms later`)
    must(await app.db.collection('test.effects').countDocuments() === 0, 'a cancelled run had its effect')
    await runsOf(app).deleteMany(these)
    const abortMs = await cancelRunning(app)
    say(`50 running ones end ${abortMs} ms after the last cancel`)
    return { waitingMs, abortMs, ...await raceCommits(app, racing) }
  })
}

/** Says that a run is at work. */
const began = new EventEmitter().setMaxListeners(0)

function bindRaces (worker: FastifyInstance): void {
  worker.handleJob(wait, async ({ signal }) => { await sleep(60_000, undefined, { signal }) })
  worker.handleJob(effect, async (ctx) => {
    began.emit(ctx.run.id)
    await sleep(Math.random() * 40)
    await ctx.commit(async (session) => {
      await worker.db.collection<{ _id: string }>('test.effects').insertOne({ _id: ctx.run.id }, { session })
      await sleep(Math.random() * 40)
    })
  })
}

async function cancelRunning (app: FastifyInstance): Promise<number> {
  const ids = await addAll(app, wait, 50)
  await until('running', async () => await runsOf(app).countDocuments({ _id: { $in: ids }, state: 'running' }) === 50)
  for (const id of ids) await app.runControl.cancel(operator, id, 'the proof')
  return Math.round(await until('ended', async () =>
    await runsOf(app).countDocuments({ _id: { $in: ids }, state: 'cancelled' }) === 50, 5000))
}

/** Cancels each run at another moment of its life; counts how each side won. */
async function raceCommits (app: FastifyInstance, count: number): Promise<{ cancelled: number, effective: number }> {
  const ids: string[] = []
  const said = new Map<string, boolean>()
  for (let from = 0; from < count; from += 50) {
    // Due a little later, so that each is waited for before it begins.
    const some = await addAll(app, effect, Math.min(50, count - from), new Date(app.clock.ms() + 300))
    ids.push(...some)
    await Promise.all(some.map(async (id, i) => {
      // Each fifth is cancelled about when it is handed over, the others while they are at work.
      if (i % 5 === 0) await sleep(200 + Math.random() * 400)
      else await once(began, id).then(async () => { await sleep(Math.random() * 100) })
      said.set(id, await app.runControl.cancel(operator, id, 'the proof').then(() => true, () => false))
    }))
  }
  const ended = { _id: { $in: ids }, state: { $in: ['done', 'cancelled'] } }
  await until('all ended', async () => await runsOf(app).countDocuments(ended) === count, 60_000)
  const found = await app.db.collection<{ _id: string }>('test.effects').find().toArray()
  const effects = new Set(found.map(({ _id }) => _id))
  for (const { _id, state } of await runsOf(app).find({ _id: { $in: ids } }).toArray()) {
    must((state === 'done') === effects.has(_id), `${_id} is ${state}, and its effect says otherwise`)
    must((state === 'cancelled') === said.get(_id), `${_id} is ${state}, and whoever cancelled it was told otherwise`)
  }
  return { cancelled: count - effects.size, effective: effects.size }
}

const moved = defineEvent({ name: 'test.thing.moved', data: Numbered })
const oldHearer = defineSubscriber({ name: 'test.hear-moves', event: moved })
const newHearer = defineSubscriber({ name: 'test.hear-moves-too', event: moved })

/** Old and new code emit for so long while the one makes way for the other. */
export async function rollingDeploy (forMs: number, say: Say): Promise<number> {
  return await onPlace(async (open) => {
    const collections = [{ name: 'test.effects', indexes: [] }]
    const common = { events: [moved], collections }
    const older = { ...common, subscribers: [oldHearer] }
    const newer = { ...common, subscribers: [oldHearer, newHearer] }
    const oldServer = await open({ role: 'server', declared: older })
    const oldWorker = await open({ groups: ['io', 'keeper'], declared: older, bind: bindHearers([oldHearer]) })
    await emit(oldServer, -1)
    const newServer = await open({ role: 'server', declared: newer })
    const emitted: string[] = []
    const end = performance.now() + forMs
    const emitting = [oldServer, newServer].map(async (server, nth) => {
      for (let n = 0; performance.now() < end; n++) {
        emitted.push(await emit(server, n * 2 + nth))
        await sleep(40)
      }
    })
    await sleep(forMs / 4)
    const bind = bindHearers([oldHearer, newHearer])
    const newWorker = await open({ groups: ['io', 'keeper'], declared: newer, bind })
    await sleep(forMs / 4)
    // The old leader goes; what it never knew is made up for by the new one.
    await oldWorker.close()
    await Promise.all(emitting)
    say(`${emitted.length} events from old and new code`)
    const heardBy = async (name: string) => await newWorker.db.collection('test.effects').countDocuments({ by: name })
    await until('all are heard', async () => await heardBy(newHearer.name) === emitted.length, 60_000)
    await sleep(12_000)
    must(await heardBy(newHearer.name) === emitted.length, 'the new one heard something from before its time')
    must(await heardBy(oldHearer.name) === emitted.length + 1, 'the old one missed something')
    const twice = await newWorker.db.collection('test.effects').countDocuments({ count: { $ne: 1 } })
    must(twice === 0, `${twice} events were heard twice`)
    return emitted.length
  })
}

function bindHearers (hearers: ReadonlyArray<typeof oldHearer>) {
  return (worker: FastifyInstance): void => {
    for (const hearer of hearers) {
      worker.onEvent(hearer, async ({ id }, ctx) => {
        await ctx.commit(async (session) => {
          await worker.db.collection<{ _id: string, by: string, count: number }>('test.effects').updateOne(
            { _id: `${hearer.name} ${id}` }, { $set: { by: hearer.name }, $inc: { count: 1 } },
            { session, upsert: true })
        })
      })
    }
  }
}

async function emit (server: FastifyInstance, n: number): Promise<string> {
  return await server.tx(async (session) =>
    await server.events.emit(session, moved, { n }, { type: 'thing', id: `s${n}` }, { workspaceId }))
}

export const proofs: Proofs = {
  async P20 ({ say }) {
    const rates = await replayInALoop(10_000, 100, say)
    const told = rates.map((rate) => rate.toFixed(1)).join(', ')
    must(rates.every((rate) => rate >= 95 && rate <= 105), `rates of ${told}`)
    return `10,000 letters, 3 rounds at ${told} a second, then refused`
  },

  async P23 ({ rounds = 2000, say }) {
    const { waitingMs, abortMs, cancelled, effective } = await cancelEverywhere(100_000, rounds, say)
    must(waitingMs <= 2000, `100,000 waiting runs took ${waitingMs} ms`)
    must(cancelled > 0 && effective > 0, `${cancelled} cancelled and ${effective} effective is no race`)
    return `100,000 waiting in ${waitingMs} ms, 50 running in ${abortMs} ms, ` +
      `${rounds} around their commit: ${cancelled} cancelled, ${effective} effective, 0 both`
  },

  async P25 ({ say }) {
    const events = await rollingDeploy(120_000, say)
    return `${events} events of old and new code, each heard once by the new subscriber`
  }
}
