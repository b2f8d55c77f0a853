// Jobs whose worker dies at a set point, and the process that runs them.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { Queue } from 'bullmq'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineJob } from '../../src/kernel/index.ts'
import { environmentWithoutStores } from '../stores.ts'
import { rig, type Place } from './rig.ts'

/** Where the process ends itself by SIGKILL; `never`: somebody else kills it. `before-redis` is for keepers. */
export type DeathPoint = 'never' | 'in-commit' | 'after-commit' | 'before-redis'

export interface VictimOptions {
  place: Place
  groups?: readonly string[]
  host?: string
  death?: DeathPoint
  /** How many runs must be there before it dies. */
  after?: number
}

export const effectJob = defineJob({
  name: 'test.have-effect', queue: 'fast', data: Type.Object({ ms: Type.Integer() }, { additionalProperties: false })
})

export interface Effect { _id: string, count: number }

export const effectsOf = (app: FastifyInstance) => app.db.collection<Effect>('test.effects')

/** A handler that waits, then has its effect exactly once, and dies where it is told to. */
export function bindEffects (death: DeathPoint = 'never', after = 1) {
  let there = 0
  const dieAt = async (point: DeathPoint): Promise<void> => {
    if (point !== death) return
    if (++there >= after) process.kill(process.pid, 'SIGKILL')
    await sleep(60_000)
  }
  return (app: FastifyInstance): void => {
    app.handleJob(effectJob, async (ctx) => {
      await sleep(ctx.run.data.ms, undefined, { signal: ctx.signal })
      await ctx.commit(async (session) => {
        await effectsOf(app).updateOne({ _id: ctx.run.id }, { $inc: { count: 1 } }, { session, upsert: true })
        await dieAt('in-commit')
      }, { effects: 1 })
      await dieAt('after-commit')
    })
  }
}

export const declared = { jobs: [effectJob], collections: [{ name: 'test.effects', indexes: [] }] }

const compiled = join(import.meta.dirname, '../../node_modules/.cache/compile')

/** A worker in a process of its own, ready. */
export async function startVictim (
  options: VictimOptions, { file = import.meta.filename, execArgv = [] as readonly string[] } = {}
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [
    '--disable-warning=ExperimentalWarning', ...execArgv, file, JSON.stringify(options)
  ], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // As the entrypoints of the product have it.
    env: { ...environmentWithoutStores(), NODE_COMPILE_CACHE: compiled }
  })
  const lines = createInterface(child.stdout)
  await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(() => { throw new Error('the worker ended before it was ready') })
  ])
  return child
}

export async function kill (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** A keeper that dies when it has marked runs as published and would hand them to Redis. */
function dieBeforeRedis (after: number): void {
  const { addBulk } = Queue.prototype
  let times = 0
  Queue.prototype.addBulk = async function (jobs) {
    if (++times >= after) process.kill(process.pid, 'SIGKILL')
    return await addBulk.call(this, jobs)
  }
}

if (process.argv[1] === import.meta.filename) {
  const {
    place, groups = ['io'], host, death = 'never', after = 1
  } = JSON.parse(process.argv[2] ?? '') as VictimOptions
  if (death === 'before-redis') dieBeforeRedis(after)
  const app = await rig(
    { place, groups, declared, bind: bindEffects(death, after), ...(host === undefined ? {} : { host }) }
  )
  process.once('SIGTERM', () => { void app.close().then(() => process.exit(0)) })
  process.stdin.once('end', () => { process.exit(1) }).resume()
  process.stdout.write('ready\n')
  flushCompileCache()
}
