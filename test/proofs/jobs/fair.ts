// P13 capacity and turns, P16 a noisy tenant, P17 order of serials under fire, P22 a batch under fire.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import { defineJob } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until, type Place } from '../../jobs/rig.ts'
import { playContest } from './contest.ts'

const closed = { additionalProperties: false }
const Work = Type.Object({ ms: Type.Integer() }, closed)
const load = defineJob({ name: 'proof.do-load', queue: 'fast', data: Work })
const Line = Type.Object({ key: Type.String({ maxLength: 20 }), n: Type.Integer() }, closed)
const inOrder = defineJob({ name: 'proof.go-in-order', queue: 'fast', data: Line, serial: ({ key }) => key })
const Part = Type.Object({ n: Type.Integer() }, closed)
const part = defineJob({ name: 'proof.do-part', queue: 'fast', data: Part })
const told = defineJob({
  name: 'proof.be-told', queue: 'fast', data: Type.Object({ kind: Type.String({ maxLength: 20 }) }, closed)
})
const jobs = [load, inOrder, part, told]
const collections = ['marks', 'parts', 'calls'].map((name) => ({ name: `proof.${name}`, indexes: [] }))
const declared = { jobs, collections }
const workspaceId = 'w'

interface Mark { _id: string, key: string, n: number, fence: number, startAt: Date, endAt?: Date }

const marks = (app: FastifyInstance) => app.db.collection<Mark>('proof.marks')
const parts = (app: FastifyInstance) => app.db.collection<{ _id: string, count: number }>('proof.parts')
const calls = (app: FastifyInstance) => app.db.collection<{ _id: string, kind: string }>('proof.calls')

function bind (app: FastifyInstance): void {
  app.handleJob(load, async ({ run }) => { await sleep(run.data.ms) })
  app.handleJob(inOrder, async (ctx) => {
    const { data: { key, n }, id } = ctx.run
    const startAt = app.clock.now()
    await sleep(2)
    await ctx.commit(async (session) => {
      await marks(app).insertOne({ _id: id, key, n, fence: 0, startAt, endAt: app.clock.now() }, { session })
    })
  })
  app.handleJob(part, async (ctx) => {
    await ctx.commit(async (session) => {
      await parts(app).updateOne({ _id: ctx.run.id }, { $inc: { count: 1 } }, { session, upsert: true })
    })
  })
  app.handleJob(told, async (ctx) => {
    await ctx.commit(async (session) => {
      await calls(app).insertOne({ _id: ctx.run.id, kind: ctx.run.data.kind }, { session })
    })
  })
}

export const proofs: Proofs = {
  async P13 ({ rounds = 1000 }) {
    let [turns, starts, worst] = [0, 0, 0]
    for (let seed = 1; seed <= rounds; seed++) {
      const played = playContest(seed)
      turns += played.turns
      starts += played.starts
      worst = Math.max(worst, played.worst)
    }
    return `${rounds} random sets of schedules, ${starts} starts in ${turns} turns, capacity never exceeded, ` +
      `nobody passed over more than ${worst} times`
  },

  async P16 ({ rounds = 3, say }) {
    const said: string[] = []
    // What waits for an hour counts a lane higher than B.
    for (const hours of [0, 1]) {
      const [idle, noisy]: [number[], number[]] = [[], []]
      for (let round = 1; round <= rounds; round++) {
        const waits = await noisyTenant(hours)
        idle.push(...waits.idle)
        noisy.push(...waits.noisy)
        const [alone, beside] = [p99(waits.idle), p99(waits.noisy)]
        say(`round ${round} of ${rounds}: idle p99 ${alone} ms, beside 100,000 runs ${hours} h old ${beside} ms`)
      }
      const [alone, beside] = [p99(idle), p99(noisy)]
      const times = (beside / alone).toFixed(2)
      if (beside > 3 * alone) throw new Error(`B waits ${times} times as long as when it is alone`)
      said.push(`${noisy.length} runs, p99 ${beside} ms, ${times} times the ${alone} ms when B is alone`)
    }
    return `${said[0]}; beside runs an hour old ${said[1]}`
  },

  async P17 ({ rounds = 1, say }) {
    let kills = 0
    for (let round = 1; round <= rounds; round++) {
      kills += await orderUnderFire(200, 50, say)
      say(`round ${round} of ${rounds}: in order`)
    }
    return `${rounds} rounds of 200 keys and 50 runs, ${kills} kills, strictly ascending, never two live`
  },

  async P22 ({ rounds = 1, say }) {
    let kills = 0
    for (let round = 1; round <= rounds; round++) kills += await batchUnderFire(100_000, say)
    return `${rounds} batches of 100,000 runs, ${kills} kills, callbacks exactly once, counts equal`
  }
}

/**
 * What B waits from commit to start, in ms, alone and beside a backlog of A. Runs take so long that the places of the
 * queue are what is short, not the processor: 50 of 200 ms are 250 starts a second. They are of unequal length, as
 * work is: equal ones begin and end as one wave, and between two waves no order of turns has a place to give.
 */
async function noisyTenant (hours: number, backlog = 100_000, ms = 200): Promise<{ idle: number[], noisy: number[] }> {
  const place = newPlace()
  const app = await rig({ place, declared, bind, groups: ['io', 'keeper'] })
  try {
    const measure = async (count: number): Promise<number[]> => {
      const waits: number[] = []
      for (let n = 0; n < count; n++) {
        const { id } = await app.tx(async (session) =>
          await app.jobs.add(session, load, { ms }, { workspaceId: 'b' }))
        const committedMs = app.clock.ms()
        await until('B starts', async () => await startOf(app, id) !== undefined, 60_000)
        waits.push((await startOf(app, id) ?? Infinity) - committedMs)
        await sleep(20)
      }
      return waits
    }
    await measure(100)
    const idle = await measure(200)
    const options = { workspaceId: 'a', runAt: new Date(Date.now() - hours * 3_600_000) }
    for (let from = 0; from < backlog; from += 1000) {
      const many = Array.from({ length: 1000 }, () => ({ data: { ms: randomInt(ms / 2, ms * 1.5) }, options }))
      await app.tx(async (session) => await app.jobs.addMany(session, load, many))
    }
    return { idle, noisy: await measure(200) }
  } finally {
    await app.db.collection('jobs.runs').updateMany({ state: 'pending' }, { $set: { state: 'cancelled' } })
    await app.close()
    await dropPlace(place)
  }
}

function p99 (waits: readonly number[]): number {
  return Math.max(1, waits.toSorted((a, b) => a - b)[Math.ceil(waits.length * 0.99) - 1] ?? Infinity)
}

async function startOf (app: FastifyInstance, id: string): Promise<number | undefined> {
  const run = await app.db.collection<{ _id: string, startedAt?: Date }>('jobs.runs').findOne({ _id: id })
  return run?.startedAt?.getTime()
}

/** What dies every two seconds: a worker of its own, replaced at once. */
async function withVictims<T> (place: Place, work: () => Promise<T>): Promise<{ answer: T, kills: number }> {
  const end = new AbortController()
  let kills = 0
  async function fire (): Promise<void> {
    while (!end.signal.aborted) {
      const child = await startOther(place, 'work')
      await sleep(2000, undefined, { signal: end.signal }).catch(() => undefined)
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      kills++
    }
  }
  const firing = fire()
  try {
    return { answer: await work(), kills }
  } finally {
    end.abort()
    await firing
  }
}

async function orderUnderFire (keys: number, each: number, say: (line: string) => void): Promise<number> {
  const place = newPlace()
  const app = await rig({ place, declared, bind, groups: ['io', 'keeper'] })
  try {
    for (let n = 0; n < each; n++) {
      await app.tx(async (session) => await app.jobs.addMany(session, inOrder, Array.from({ length: keys }, (_, key) =>
        ({ data: { key: `k${key}`, n }, options: { workspaceId } }))))
    }
    const { kills } = await withVictims(place, async () => {
      await until('all marks', async () => await marks(app).countDocuments() === keys * each, 500_000)
    })
    say(`${kills} kills`)
    const byKey = Map.groupBy(await marks(app).find().sort({ startAt: 1, n: 1 }).toArray(), ({ key }) => key)
    for (const [key, row] of byKey) {
      const isAscending = row.every(({ n }, i) => n === i)
      const isAlone = row.every(({ startAt }, i) => i === 0 || startAt >= (row[i - 1]?.endAt ?? startAt))
      if (!isAscending || !isAlone || row.length !== each) throw new Error(`${key}: ${row.map(({ n }) => n).join()}`)
    }
    return kills
  } finally {
    await app.close()
    await dropPlace(place)
  }
}

/** The inserter dies again and again and goes on where its pages end, and so do the workers. */
async function batchUnderFire (size: number, say: (line: string) => void): Promise<number> {
  const place = newPlace()
  const app = await rig({ place, declared, bind, groups: ['io', 'keeper'] })
  try {
    const call = (kind: string) => ({ job: told, data: { kind } })
    const id = await app.tx(async (session) => await app.batches.open(session, {
      name: 'fire', workspaceId, onComplete: call('complete'), onSuccess: call('success'), onDeath: call('death')
    }))
    let inserters = 0
    const { kills } = await withVictims(place, async () => {
      for (;;) {
        inserters++
        const child = await startOther(place, 'insert', id, String(size))
        const exited = once(child, 'exit')
        const isOver = await Promise.race([exited.then(([code]) => code === 0), sleep(2000, false)])
        if (isOver) break
        child.kill('SIGKILL')
        await exited
      }
      say(`${size} runs entered by ${inserters} inserters`)
      await until('the batch is complete', async () =>
        await app.db.collection('jobs.batches').countDocuments({ state: 'complete' }) === 1, 550_000)
      await until('told', async () => await calls(app).countDocuments() >= 2, 20_000)
      await until('quiet', async () => await app.runs.isQuiet(), 20_000)
    })
    const kinds = (await calls(app).find().toArray()).map(({ kind }) => kind).toSorted()
    if (kinds.join() !== 'complete,success') throw new Error(`called back: ${kinds.join()}`)
    const done = await app.db.collection('jobs.runs').countDocuments({ batchId: id, state: 'done' })
    const once_ = await parts(app).countDocuments({ count: 1 })
    if (done !== size || once_ !== size) throw new Error(`${done} done, ${once_} effects, ${size} wanted`)
    return kills + inserters - 1
  } finally {
    await app.close()
    await dropPlace(place)
  }
}

/** Another process of this file: a worker, or whoever fills a batch. */
async function startOther (place: Place, ...what: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', import.meta.filename, JSON.stringify(place), ...what
  ], { stdio: ['pipe', 'pipe', 'inherit'] })
  await Promise.race([
    once(createInterface(child.stdout), 'line'),
    once(child, 'exit').then(([code]) => { if (code !== 0) throw new Error('the process ended before it was ready') })
  ])
  return child
}

async function fill (app: FastifyInstance, batchId: string, size: number): Promise<void> {
  const ofPage = 500
  for (let page = await app.batches.pages(batchId); page * ofPage < size; page++) {
    const items = Array.from({ length: Math.min(ofPage, size - page * ofPage) }, (_, i) => ({
      data: { n: page * ofPage + i }
    }))
    await app.tx(async (session) => await app.batches.addPage(session, batchId, page, part, items))
  }
  await app.tx(async (session) => { await app.batches.seal(session, batchId) })
}

if (process.argv[1] === import.meta.filename) {
  const place = JSON.parse(process.argv[2] ?? '') as Place
  const [what, batchId = '', size = '0'] = process.argv.slice(3)
  const isWorker = what === 'work'
  const app = await rig({ place, declared, ...(isWorker ? { groups: ['io'], bind } : { role: 'server' as const }) })
  process.stdin.once('end', () => { process.exit(1) }).resume()
  process.stdout.write('ready\n')
  if (!isWorker) {
    await fill(app, batchId, Number(size))
    process.exit(0)
  }
}
