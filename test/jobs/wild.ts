// Jobs that kill, eat, hang or ignore, the workers that run them, and whoever starts a worker again when one is gone.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { RuntimeLimits } from '../../plugins/queue/own-process.ts'
import { serveSolo } from '../../plugins/queue/solo-child.ts'
import { defineJob } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig } from './rig.ts'
import { bindEffects, declared as harmless, effectJob, startVictim, type VictimOptions } from './victim.ts'

const closed = { additionalProperties: false }
const Of = Type.Object({ n: Type.Integer() }, closed)
/** What a run of these does to the process that works on it. */
export const killItself = defineJob({ name: 'test.kill-itself', queue: 'fast', data: Of })
export const eatMemory = defineJob({ name: 'test.eat-memory', queue: 'fast', data: Of })
export const loopForEver = defineJob({ name: 'test.loop-for-ever', queue: 'fast', data: Of })
export const wildJobs = [killItself, eatMemory, loopForEver]
/** Never looks at its signal. */
export const ignoreAll = defineJob({
  name: 'test.ignore-all', queue: 'fast', data: Of, policy: { timeoutMs: 300, attempts: 1 }
})
/** Ten steps with a pause after each; every step counts up its own effect. */
export const walkFar = defineJob({
  name: 'test.walk-far', queue: 'fast', data: Type.Object({ pauseMs: Type.Integer() }, closed)
})
export const stepsToWalk = 10

export interface StepEffect { _id: string, count: number, pids: number[] }
export const stepEffects = (app: FastifyInstance) => app.db.collection<StepEffect>('test.step_effects')

export const declared = {
  jobs: [...harmless.jobs, ...wildJobs, ignoreAll, walkFar],
  collections: [...harmless.collections, { name: 'test.step_effects', indexes: [] }]
}

export function bindWild (app: FastifyInstance): void {
  bindEffects()(app)
  app.handleJob(killItself, async () => {
    process.kill(process.pid, 'SIGKILL')
    await sleep(60_000)
  })
  app.handleJob(eatMemory, async () => {
    const eaten: unknown[] = []
    for (;;) eaten.push(Array.from({ length: 10_000 }, (_, i) => ({ i })))
  })
  app.handleJob(loopForEver, async () => { for (let i = 0; i >= 0; i = (i + 1) % 7); })
  app.handleJob(ignoreAll, async () => { await sleep(3_600_000) })
  app.handleJob(walkFar, async ({ run, step, signal }) => {
    for (let n = 1; n <= stepsToWalk; n++) {
      await step(`s${n}`, async () => {
        const { pid } = process
        await stepEffects(app).updateOne(
          { _id: `${run.id} ${n}` }, { $inc: { count: 1 }, $push: { pids: pid } }, { upsert: true })
      })
      await sleep(run.data.pauseMs, undefined, { signal })
    }
  })
}

export { effectJob }

/** Limits under which tests need not wait long. */
export const limits = { loopMs: 2500, giveUpMs: 500, soloMb: 128 }

/** Adds one run of any of these jobs. */
export async function addOne (app: FastifyInstance, job: unknown, data: object): Promise<string> {
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, job as typeof killItself, data as { n: number }, { workspaceId: 'w' }))
  return id
}

/** The keeper alone, in this process, which nothing kills. */
export async function keeperOf (t: { teardown: (undo: () => unknown) => unknown }) {
  const place = newPlace()
  const app = await rig({ place, groups: ['keeper'], declared, bind: bindWild })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  return { place, app }
}

export interface WildOptions extends VictimOptions { limits?: Partial<RuntimeLimits> }

/** A worker that may run these jobs, in a process of its own. */
export async function startWild (options: WildOptions, execArgv: readonly string[] = []): Promise<ChildProcess> {
  return await startVictim(options, { file: import.meta.filename, execArgv })
}

/** Keeps so many workers at work: each that is gone is followed by another one. */
export async function keepWorkers (count: number, options: WildOptions, execArgv: readonly string[] = []) {
  const deaths: string[] = []
  const children = new Set<ChildProcess>()
  const starting = new Set<Promise<void>>()
  let isStopping = false

  function follow (): Promise<void> {
    const start = startOne().finally(() => { starting.delete(start) })
    starting.add(start)
    return start
  }

  async function startOne (): Promise<void> {
    const child = await startWild(options, execArgv)
    children.add(child)
    child.once('exit', (code, signal) => {
      children.delete(child)
      if (isStopping) return
      deaths.push(signal ?? `exit_${code}`)
      follow().catch((err: unknown) => { deaths.push(String(err)) })
    })
  }
  await Promise.all(Array.from({ length: count }, follow))
  return {
    deaths,
    children,
    async stop (): Promise<void> {
      isStopping = true
      await Promise.allSettled(starting)
      await Promise.all([...children].map(async (child) => {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }))
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const { place, groups = ['io'], host, limits = {} } = JSON.parse(process.argv[2] ?? '') as WildOptions
  const isSolo = process.argv.at(-1) === '--solo'
  const app = await rig({
    place, groups: isSolo ? [] : groups, declared, bind: bindWild, limits, ...(host === undefined ? {} : { host }),
    own: {
      file: import.meta.filename,
      args: [process.argv[2] ?? ''],
      replace () { void app.close().then(() => { process.exit(3) }) }
    }
  })
  if (isSolo) await serveSolo(app)
  else {
    process.once('SIGTERM', () => { void app.close().then(() => process.exit(0)) })
    process.stdin.once('end', () => { process.exit(1) }).resume()
    process.stdout.write('ready\n')
    flushCompileCache()
  }
}
