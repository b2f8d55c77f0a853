// T1: the main job again and again. T2: the same while a random process is killed every two seconds.
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runMainJob, type JobOptions, type Outcome } from '../../bin/demo/main-job.ts'
import { openStage, type Stage, type Victim } from '../../bin/demo/stage.ts'
import type { Proofs } from '../../bin/proof.ts'
import { startServices } from '../../bin/services.ts'

type Say = (line: string) => void

const victims: readonly Victim[] = ['mongo', 'redis', 'server', 'server 2', 'worker io keeper', 'worker cpu']
const plain: JobOptions = { isSmall: false, isChaos: false, isScripted: false, timeScale: 1, quietMs: 0 }

export const proofs: Proofs = {
  async T1 ({ rounds = 20, say }) {
    const services = await startServices({ dir: freshFolder(), persist: true })
    const seconds: number[] = []
    try {
      for (let round = 1; round <= rounds; round++) {
        const name = `t1${randomBytes(6).toString('hex')}`
        const stores = { MONGO_URL: services.mongoUrl, REDIS_URL: services.redisUrl, MONGO_DB: name, KEY_PREFIX: name }
        const outcome = await play(stores, say, { ...plain, quietMs: round === rounds ? 60_000 : 0 })
        seconds.push(outcome.figures.seconds ?? Infinity)
        say(`round ${round} of ${rounds}: ${JSON.stringify(outcome.figures)}`)
      }
    } finally {
      await services.stop()
    }
    return `${rounds} runs, every row each time, slowest ${Math.max(...seconds)} s`
  },

  async T2 ({ rounds = 3, say }) {
    let kills = 0
    for (let seed = 1; seed <= rounds; seed++) {
      const { outcome, killed } = await playUnderFire(seed, say)
      kills += killed
      say(`seed ${seed} of ${rounds}: ${killed} kills, ${JSON.stringify(outcome.figures)}`)
    }
    return `${rounds} seeds, ${kills} kills, every figure each time`
  }
}

function freshFolder (): string {
  return join(tmpdir(), `switchyard-proof-${randomBytes(6).toString('hex')}`)
}

async function play (stores: Record<string, string>, say: Say, options: JobOptions): Promise<Outcome> {
  const env = { ...process.env, ...stores }
  const stage = await openStage({ dir: freshFolder(), env, isSmall: options.isSmall, say })
  try {
    return hold(await runMainJob(stage, options))
  } finally {
    await stage.close()
  }
}

async function playUnderFire (seed: number, say: Say): Promise<{ outcome: Outcome, killed: number }> {
  const { MONGO_URL: _mongo, REDIS_URL: _redis, ...env } = process.env
  const stage = await openStage({ dir: freshFolder(), env, isSmall: false, say: () => {} })
  const end = new AbortController()
  const fire = killAround(stage, seed, end.signal, say)
  try {
    const outcome = hold(await runMainJob(stage, { ...plain, isChaos: true, timeScale: 6 }, {
      onRow: ({ number, title }) => {
        say(`row ${number}: ${title}`)
        // What is compared last is compared in peace.
        if (number >= 9) end.abort()
      },
      onRowEnd: (_row, failures) => { for (const failure of failures) say(failure) }
    }))
    end.abort()
    return { outcome, killed: await fire }
  } finally {
    end.abort()
    await fire
    await stage.close()
  }
}

/** Kills a random process every two seconds; the same seed gives the same order of victims. */
async function killAround (stage: Stage, seed: number, signal: AbortSignal, say: Say): Promise<number> {
  let killed = 0
  let state = seed
  while (!signal.aborted) {
    await sleep(2000, undefined, { signal }).catch(() => {})
    if (signal.aborted) break
    state = (state * 48_271) % 2_147_483_647
    const victim = victims[state % victims.length] as Victim
    if (stage.product.supervisor.pidOf(victim) === undefined) continue
    stage.kill(victim)
    killed++
    say(`killed ${victim}`)
  }
  return killed
}

function hold (outcome: Outcome): Outcome {
  if (outcome.failures.length > 0) throw new Error(outcome.failures.join('; '))
  return outcome
}
