// Workers and keepers that die, deliveries that come twice, keys that race: P1, P2, P3, P9, P21.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import type { Proofs } from '../../../bin/proof.ts'
import { bullConnection, bullPrefix } from '../../../plugins/queue/connection.ts'
import { createRelayRepository } from '../../../src/jobs/index.ts'
import { withContext, type AddOptions, type AddedRun, type Dedupe, type KeyScope } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, rowMs, until, type Place } from '../../jobs/rig.ts'
import { declared, effectJob, kill, startVictim, type VictimOptions } from '../../jobs/victim.ts'
import { addEffects, allOnce, doneOf, must, runs, stage, ws, type Row } from './stage.ts'

/** What a relay knows of a run of these that nobody touched. */
const plain = {
  v: 1, queue: 'fast' as const, lane: 'default' as const, release: 0, starts: 0, attempt: 0, cost: 1, heldBy: null,
  runAt: new Date(0)
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

export const proofs: Proofs = {
  async P1 ({ rounds = 50, say }) {
    const numbers = Array.from({ length: rounds }, (_, nth) => nth)
    const half = Math.ceil(rounds / 2)
    const halves = [numbers.slice(0, half), numbers.slice(half)]
    const rows = await Promise.all(halves.map(async (row) => await killRow(row, say)))
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
          _id, ...ws, ...plain, name: effectJob.name
        }))
        // No keeper is here: the proof publishes, and delivers each run under three ids.
        await createRelayRepository(app.db).publish(rows, 'the proof', app.clock.now())
        await bull.addBulk(ids.flatMap((r) => [1, 2, 3].map((nth) =>
          ({ name: 'run', data: { r, n: 1 }, opts: { jobId: `twin-${nth}-${r}` } }))))
        const left = async (): Promise<number> => await bull.getJobCountByTypes('waiting', 'active', 'prioritized')
        await until('all deliveries ended', async () => await left() === 0, 60_000)
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
        const add = async (n: number, options: AddOptions): Promise<AddedRun> => {
          const app = n % 2 === 0 ? first : second
          const data = { ms: options.dedupe === undefined ? 0 : n }
          const runAt = new Date(app.clock.ms() + 3_600_000)
          const asked = { ...ws, runAt, ...options }
          return await app.tx(async (session) => await app.jobs.add(session, effectJob, data, asked))
        }
        const inARowMs = await rowMs(async (n) =>
          await add(n, { dedupe: { key: 'a row', mode: 'debounce', windowMs: 60_000 } }))
        let worstMs = 0
        const race = async (options: AddOptions): Promise<string> => {
          const sinceMs = performance.now()
          const added = await Promise.all(Array.from({ length: 100 }, async (_, n) => await add(n, options)))
          worstMs = Math.max(worstMs, performance.now() - sinceMs)
          const ids = new Set(added.map(({ id }) => id))
          const isOne = ids.size === 1 && added.filter(({ isNew }) => isNew).length <= 1
          must(isOne, `${JSON.stringify(options)}: not one run`)
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
        // A caught duplicate key would wait for two minutes.
        const times = `slowest ${(worstMs / inARowMs).toFixed(1)} times as long as one after the other`
        must(worstMs <= 5 * inARowMs, `100 adds that race: ${times}`)
        return `65 races of 100 adds from two apps, 3 scopes, 4 modes, one run each, ${times}`
      } finally {
        await second.close()
      }
    })
  }
}
