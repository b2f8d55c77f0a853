// Workers and keepers that die, deliveries that come twice, keys that race, work that kills: P1-P3, P8, P9, P21, P24.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChildProcess } from 'node:child_process'
import { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import type { Proofs } from '../../../bin/proof.ts'
import { bullConnection, bullPrefix } from '../../../plugins/queue/connection.ts'
import { createRelayRepository } from '../../../src/jobs/index.ts'
import { withContext, type AddOptions, type Dedupe, type KeyScope } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until, type Place } from '../../jobs/rig.ts'
import {
  bindEffects, declared, effectJob, effectsOf, kill, startVictim, type VictimOptions
} from '../../jobs/victim.ts'
import * as wild from '../../jobs/wild.ts'

type Row = Record<string, unknown> & { _id: string, startedAt: Date, starts: number, steps?: object }
const runs = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')
const letters = (app: FastifyInstance) => app.db.collection('jobs.letters')
const ws = { workspaceId: 'w' }

function must (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

async function addEffects (app: FastifyInstance, count: number, ms: number): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < count; from += 500) {
    const many = Array.from({ length: Math.min(500, count - from) }, () => ({ data: { ms }, options: ws }))
    const added = await app.tx(async (session) => await app.jobs.addMany(session, effectJob, many))
    ids.push(...added.map(({ id }) => id))
  }
  return ids
}

const doneOf = async (app: FastifyInstance, ids: readonly string[]): Promise<number> =>
  await runs(app).countDocuments({ _id: { $in: [...ids] }, state: 'done' })

/** 0 lost, 0 double, 0 condemned. */
async function allOnce (app: FastifyInstance, ids: readonly string[], withinMs: number): Promise<void> {
  await until('0 lost', async () => await doneOf(app, ids) === ids.length, withinMs)
  const single = await effectsOf(app).countDocuments({ _id: { $in: [...ids] }, count: 1 })
  must(single === ids.length, `${ids.length - single} effects are not exactly one`)
  must(await letters(app).countDocuments() === 0, 'a run was condemned')
}

interface Round { isElsewhere: boolean, inCommit: boolean, worstMs: number, crashed: number }

/** A hundred runs on two workers, one of which dies in the middle; how long its work stood still. */
async function killOnce (app: FastifyInstance, place: Place, nth: number): Promise<Round> {
  const [isElsewhere, inCommit] = [nth % 2 === 1, Math.floor(nth / 2) % 2 === 1]
  const victim: Omit<VictimOptions, 'place'> = {
    ...(isElsewhere ? { host: 'elsewhere' } : {}), ...(inCommit ? { death: 'in-commit', after: 5 } : {})
  }
  const child = await startVictim({ place, ...victim })
  const workers = app.db.collection('jobs.workers')
  await until('two workers', async () => await workers.countDocuments() >= 2, 30_000)
  await sleep(100)
  const exited = once(child, 'exit')
  const ids = await addEffects(app, 100, 300)
  const mine = { state: 'running', worker: { $ne: null } }
  await until('in flight', async () => await runs(app).countDocuments({ ...mine, _id: { $in: ids } }) >= 20, 20_000)
  if (!inCommit) child.kill('SIGKILL')
  await exited
  const diedMs = app.clock.ms()
  await allOnce(app, ids, 60_000)
  const crashed = await runs(app).find({ _id: { $in: ids }, crashes: { $gt: 0 } }).toArray()
  const worstMs = Math.max(0, ...crashed.map(({ startedAt }) => startedAt.getTime() - diedMs))
  const limitMs = isElsewhere ? 15_000 : 3000
  must(worstMs <= limitMs, `round ${nth}: work restarts after ${worstMs} ms, ${limitMs} are allowed`)
  // A dead worker of another host is only forgotten when its row is.
  await workers.deleteMany({ host: 'elsewhere' })
  return { isElsewhere, inCommit, worstMs, crashed: crashed.length }
}

/** One row of rounds with a surviving worker of its own. */
async function killRow (rounds: readonly number[], say: (line: string) => void): Promise<Round[]> {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared })
  const survivor = await startVictim({ place, groups: ['io', 'keeper'] })
  try {
    const all: Round[] = []
    for (const nth of rounds) {
      const round = await killOnce(app, place, nth)
      say(`round ${nth}: ${JSON.stringify(round)}`)
      all.push(round)
    }
    return all
  } finally {
    await kill(survivor)
    await app.close()
    await dropPlace(place)
  }
}

/** An app that adds and looks, closed and dropped in the end. */
async function stage<T> (
  work: (app: FastifyInstance, place: Place) => Promise<T>, options: Partial<Parameters<typeof rig>[0]> = {}
): Promise<T> {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared, ...options })
  try {
    return await work(app, place)
  } finally {
    await app.close()
    await dropPlace(place)
  }
}

export const proofs: Proofs = {
  async P1 ({ rounds = 50, say }) {
    const numbers = Array.from({ length: rounds }, (_, nth) => nth)
    const half = Math.ceil(rounds / 2)
    const rows = await Promise.all([numbers.slice(0, half), numbers.slice(half)].map(async (row) => await killRow(row, say)))
    const all = rows.flat()
    const worst = (isElsewhere: boolean): number =>
      Math.max(0, ...all.filter((one) => one.isElsewhere === isElsewhere).map(({ worstMs }) => worstMs))
    const crashed = all.reduce((sum, one) => sum + one.crashed, 0)
    must(crashed > 0, 'no run was under way')
    return `${rounds} rounds, ${rounds * 100} runs, ${crashed} cut off, 0 lost, 0 double, 0 poison, ` +
      `restart ${worst(false)} ms here, ${worst(true)} ms elsewhere`
  },

  async P2 () {
    return await stage(async (app, place) => {
      const keeper = await startVictim({ place, groups: ['keeper'] })
      let deaths = 0
      try {
        const ids = await addEffects(app, 200, 20)
        while (await doneOf(app, ids) < 200) {
          const victim = await startVictim({ place, death: 'after-commit', after: 25 })
          const exited = once(victim, 'exit')
          await Promise.race([exited, until('the rest', async () => await doneOf(app, ids) === 200, 60_000)])
          if (victim.exitCode === null && victim.signalCode === null) await kill(victim)
          else deaths++
        }
        await allOnce(app, ids, 20_000)
        const kept = await runs(app).countDocuments({ _id: { $in: ids }, 'result.effects': 1 })
        must(kept === 200, `${kept} of 200 results stand in the ledger`)
        must(deaths >= 4, `only ${deaths} deaths`)
        return `200 runs, ${deaths} deaths between effect and acknowledgement, each effect once, 200 results kept`
      } finally {
        await kill(keeper)
      }
    })
  },

  async P3 ({ rounds = 20, say }) {
    return await stage(async (app, place) => {
      const worker = await startVictim({ place, groups: ['io'] })
      const ids: string[] = []
      try {
        for (let round = 1; round <= rounds; round++) {
          const keeper = await startVictim({ place, groups: ['keeper'], death: 'before-redis', after: 2 + round % 4 })
          const exited = once(keeper, 'exit')
          ids.push(...await addEffects(app, 1000, 0))
          await exited
          say(`keeper ${round} died with ${await runs(app).countDocuments({ state: 'published' })} published runs`)
        }
        const last = await startVictim({ place, groups: ['keeper'] })
        await allOnce(app, ids, 120_000).finally(async () => { await kill(last) })
        return `${rounds} keepers died between MongoDB and Redis, ${ids.length} runs, 0 lost, 0 double`
      } finally {
        await kill(worker)
      }
    })
  },

  async P8 ({ say }) {
    const figures: string[] = []
    for (const isScheduled of [false, true]) {
      for (const job of wild.wildJobs) {
        const figure = await poison(job, isScheduled)
        say(figure)
        figures.push(figure)
      }
    }
    return figures.join('; ')
  },

  async P9 () {
    const count = 500
    return await stage(async (app, place) => {
      const workers = await Promise.all([1, 2].map(async () => await startVictim({ place })))
      const ends = new Map<string, number>()
      const stream = app.db.collection<Row>('jobs.runs').watch([
        { $match: { 'updateDescription.updatedFields.state': { $in: ['done', 'dead', 'cancelled', 'expired'] } } }
      ])
      stream.on('change', (change) => {
        const { _id } = (change as unknown as { documentKey: { _id: string } }).documentKey
        ends.set(_id, (ends.get(_id) ?? 0) + 1)
      })
      const connection = bullConnection(app.redis)
      const bull = new Queue('fast', { connection, prefix: bullPrefix(place.name) })
      try {
        const ids = await addEffects(app, count, 20)
        const rows = ids.map((_id) => ({
          _id, ...ws, name: effectJob.name, v: 1, queue: 'fast' as const, lane: 'default' as const, release: 0, starts: 0
        }))
        // No keeper is here: the proof publishes, and delivers each run under three ids.
        await createRelayRepository(app.db).publish(rows, 'the proof', app.clock.now())
        await bull.addBulk(ids.flatMap((r) => [1, 2, 3].map((nth) =>
          ({ name: 'run', data: { r, n: 1 }, opts: { jobId: `twin-${nth}-${r}` } }))))
        await until('all deliveries ended', async () => await bull.getJobCountByTypes('waiting', 'active') === 0, 60_000)
        await allOnce(app, ids, 20_000)
        await until('all ends seen', () => ends.size === count)
        must([...ends.values()].every((times) => times === 1), 'a run ended twice')
        must(await runs(app).countDocuments({ starts: { $ne: 1 } }) === 0, 'a run started twice')
        return `${count} runs, ${count * 3} deliveries, ${count} effects, ${count} ends`
      } finally {
        await stream.close()
        await bull.close()
        connection.disconnect()
        await Promise.all(workers.map(kill))
      }
    })
  },

  async P21 () {
    return await stage(async (first, place) => {
      const second = await rig({ place, role: 'server', declared })
      try {
        let worstMs = 0
        const race = async (options: AddOptions): Promise<string> => {
          const sinceMs = performance.now()
          const added = await Promise.all(Array.from({ length: 100 }, async (_, n) => {
            const app = n % 2 === 0 ? first : second
            const data = { ms: options.dedupe === undefined ? 0 : n }
            const runAt = new Date(app.clock.ms() + 3_600_000)
            return await app.tx(async (session) => await app.jobs.add(session, effectJob, data, { ...ws, runAt, ...options }))
          }))
          worstMs = Math.max(worstMs, performance.now() - sinceMs)
          const ids = new Set(added.map(({ id }) => id))
          must(ids.size === 1 && added.filter(({ isNew }) => isNew).length === 1, `${JSON.stringify(options)}: not one run`)
          return added[0]?.id ?? ''
        }
        for (let i = 0; i < 5; i++) {
          for (const scope of ['global', 'parent', 'attempt'] as KeyScope[]) {
            const at = async (id: string, attempt: number): Promise<string> => await withContext(
              { cause: { kind: 'run', id }, attempt }, async () => await race({ key: `k${i}`, scope }))
            const [a, b, c] = [await at('r1', 0), await at('r1', 1), await at('r2', 0)]
            const distinct = { global: 1, parent: 2, attempt: 3 }[scope as 'global']
            must(new Set([a, b, c]).size === distinct, `${scope}: another number of runs than ${distinct}`)
          }
          const modes: Dedupe[] = [
            { key: `i${i}`, mode: 'inflight' }, { key: `l${i}`, mode: 'latest' },
            { key: `t${i}`, mode: 'throttle', windowMs: 60_000 }, { key: `d${i}`, mode: 'debounce', windowMs: 60_000 }
          ]
          for (const dedupe of modes) await race({ dedupe })
        }
        must(worstMs <= 2000, `100 adds took ${Math.round(worstMs)} ms`)
        return `65 races of 100 adds from two processes, 3 scopes, 4 modes, one run each, slowest ${Math.round(worstMs)} ms`
      } finally {
        await second.close()
      }
    })
  },

  async P24 ({ say }) {
    return await stage(async (app, place) => {
      const keeper = await startVictim({ place, groups: ['keeper'] }, { file: wild.file })
      try {
        const added = await app.tx(async (session) => await app.jobs.addMany(session, wild.walkFar,
          Array.from({ length: 2 }, () => ({ data: { pauseMs: 700 }, options: ws }))))
        const ids = added.map(({ id }) => id)
        const least = async (): Promise<number> => {
          const found = await runs(app).find({ _id: { $in: ids } }).toArray()
          return Math.min(...found.map(({ steps = {} }) => Object.keys(steps).length))
        }
        let worker: ChildProcess | undefined
        for (let wanted = 1; wanted <= wild.stepsToWalk; wanted++) {
          worker = await wild.startWild({ place })
          await until(`step ${wanted}`, async () => await least() >= wanted, 60_000)
          await kill(worker)
          say(`killed after step ${wanted}`)
        }
        worker = await wild.startWild({ place })
        await until('done', async () => await doneOf(app, ids) === ids.length, 60_000).finally(async () => {
          if (worker !== undefined) await kill(worker)
        })
        const effects = await wild.stepEffects(app).find().toArray()
        must(effects.length === ids.length * wild.stepsToWalk, `${effects.length} effects`)
        must(effects.every(({ count }) => count === 1), 'a step had its effect twice')
        must(await letters(app).countDocuments() === 0, 'a run was condemned')
        return `${ids.length} runs of 10 steps, a kill after each step, ${effects.length} effects, each once`
      } finally {
        await kill(keeper)
      }
    }, { declared: wild.declared })
  }
}

const perTick = 10
const tickMs = 100
const windowMs = 20_000

/** One kind of work that kills, beside work that does not; plain, or again each second as a schedule would. */
async function poison (job: typeof wild.killItself, isScheduled: boolean): Promise<string> {
  const place = newPlace()
  const app = await rig({ place, groups: ['keeper'], declared: wild.declared, bind: wild.bindWild })
  const workers = await wild.keepWorkers(2, { place, limits: { loopMs: 5000, soloMb: 128 } }, ['--max-old-space-size=192'])
  const stop = new AbortController()
  const effects: string[] = []
  const flow = (async () => {
    while (!stop.signal.aborted) {
      effects.push(...await addEffects(app, perTick, 20))
      await sleep(tickMs)
    }
  })()
  const doneWithin = async (ms: number): Promise<number> => {
    const [before, added] = [await effectsOf(app).countDocuments(), effects.length]
    await sleep(ms)
    return (await effectsOf(app).countDocuments() - before) / Math.max(1, effects.length - added)
  }
  try {
    const usual = await doneWithin(8000)
    const ids: string[] = []
    const evil = (async () => {
      for (let n = 0; n < (isScheduled ? 10 : 1); n++) {
        const options = { ...ws, key: `slot ${n}` }
        ids.push((await app.tx(async (session) => await app.jobs.add(session, job, { n: 1 }, options))).id)
        if (isScheduled) await sleep(1000)
      }
    })()
    const then = await doneWithin(windowMs)
    await evil
    await until('all dead', async () => await runs(app).countDocuments({ _id: { $in: ids }, state: 'dead' }) === ids.length,
      180_000)
    stop.abort()
    await flow
    await until('0 lost', async () => await doneOf(app, effects) === effects.length, 60_000)
    const starts = Math.max(...(await runs(app).find({ _id: { $in: ids } }).toArray()).map((run) => run.starts))
    const classes = await letters(app).distinct('class')
    must(starts <= 3, `${job.name}: ${starts} starts`)
    must(workers.deaths.length <= 2, `${job.name}: ${workers.deaths.length} workers lost: ${workers.deaths.join(', ')}`)
    must(classes.length === 1 && classes[0] === 'poison', `${job.name}: letters of ${classes.join(', ')}`)
    must(await letters(app).countDocuments() === ids.length, `${job.name}: innocent runs are condemned`)
    must(then / usual >= 0.95, `${job.name}: other work fell to ${(then / usual).toFixed(3)} of its rate`)
    return `${job.name}${isScheduled ? ' each second' : ''}: ${ids.length} poison, at most ${starts} starts, ` +
      `${workers.deaths.length} workers lost, other work ${(100 * then / usual).toFixed(1)} %`
  } finally {
    stop.abort()
    await flow.catch(() => undefined)
    await workers.stop()
    await app.close()
    await dropPlace(place)
  }
}
