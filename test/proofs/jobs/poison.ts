// Work that kills its process, steps that outlive theirs: P8, P24.
import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Proofs } from '../../../bin/proof.ts'
import { systemActor } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from '../../jobs/rig.ts'
import { effectsOf, kill } from '../../jobs/victim.ts'
import * as wild from '../../jobs/wild.ts'
import { addEffects, doneOf, letters, must, runs, stage, ws, type Row } from './stage.ts'

export const proofs: Proofs = {
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

  async P24 ({ say }) {
    return await stage(async (app, place) => {
      const keeper = await wild.startWild({ place, groups: ['keeper'] })
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

const attemptsOf = ({ attempts }: Row): unknown[] => Array.isArray(attempts) ? attempts : []

/** One kind of work that kills, beside work that does not; plain, or each second by a schedule that nothing pauses. */
async function poison (job: typeof wild.killItself, isScheduled: boolean): Promise<string> {
  const place = newPlace()
  const app = await rig({ place, groups: ['keeper'], declared: wild.declared, bind: wild.bindWild })
  const options = { place, limits: { loopMs: 5000, soloMb: 128 } }
  const workers = await wild.keepWorkers(2, options, ['--max-old-space-size=192'])
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
    const ids = async (): Promise<string[]> =>
      (await runs(app).find({ name: job.name }, { projection: { _id: 1 } }).toArray()).map(({ _id }) => _id)
    const end = isScheduled ? await scheduleOf(app, job) : undefined
    if (!isScheduled) await wild.addOne(app, job, { n: 1 })
    const then = await doneWithin(windowMs)
    const deadOf = async (): Promise<number> => await runs(app).countDocuments({ name: job.name, state: 'dead' })
    // The slots after the first are those that must cost no worker.
    if (isScheduled) await until('three slots are dead', async () => await deadOf() >= 3, 120_000)
    await end?.()
    const evil = await ids()
    const alive = async (): Promise<string[]> =>
      (await runs(app).find({ _id: { $in: evil }, state: { $ne: 'dead' } }).toArray()).map(shown)
    await until('all dead', async () => (await alive()).length === 0, 60_000).catch(async () => {
      throw new Error(`${job.name}: not dead are ${(await alive()).join('; ')}`)
    })
    stop.abort()
    await flow
    await until('0 lost', async () => await doneOf(app, effects) === effects.length, 60_000)
    // A claim that was given back before a process was there for it worked on nothing, and is no attempt.
    const tried = (await runs(app).find({ _id: { $in: evil } }).toArray()).map(attemptsOf)
    const most = tried.toSorted((one, other) => other.length - one.length)[0] ?? []
    const tries = most.length
    const classes = await letters(app).distinct('class')
    must(tries >= 1 && tries <= 3, `${job.name}: ${tries} attempts, ${JSON.stringify(most)}`)
    must(workers.deaths.length <= 2, `${job.name}: ${workers.deaths.length} workers lost: ${workers.deaths.join(', ')}`)
    must(classes.length === 1 && classes[0] === 'poison', `${job.name}: letters of ${classes.join(', ')}`)
    must(await letters(app).countDocuments() === evil.length, `${job.name}: innocent runs are condemned`)
    must(then / usual >= 0.95, `${job.name}: other work fell to ${(then / usual).toFixed(3)} of its rate`)
    return `${job.name}${isScheduled ? ' each second' : ''}: ${evil.length} poison, at most ${tries} attempts, ` +
      `${workers.deaths.length} workers lost, other work ${(100 * then / usual).toFixed(1)} %`
  } finally {
    stop.abort()
    await flow.catch(() => undefined)
    await workers.stop()
    await app.close()
    await dropPlace(place)
  }
}

const operator = systemActor('the proof', ws.workspaceId)

/** A run of the job each second while the one before it is over; answers what ends that. */
async function scheduleOf (app: FastifyInstance, job: typeof wild.killItself): Promise<() => Promise<void>> {
  const { id } = await app.schedules.add(operator, {
    name: 'evil', job: job.name, data: { n: 1 }, spec: { everyMs: 1000 }, smear: false, pauseAfter: 0
  })
  return async () => { await app.schedules.remove(operator, id) }
}

function shown ({ _id, starts, ...run }: Row): string {
  const [state, heldBy, crashes] = ['state', 'heldBy', 'crashes'].map((name) => String(run[name]))
  return `${_id} ${state}, held by ${heldBy}, ${starts} starts, ${crashes} crashes`
}
