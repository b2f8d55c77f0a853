// P15: an outside service dies under ten thousand runs, and comes back.
import { once } from 'node:events'
import { createServer, get, Agent } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import breaker from '../../../plugins/breaker.ts'
import { defineJob, defineResource } from '../../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from '../../jobs/rig.ts'
import { letters, must, runs, ws } from './stage.ts'

/** How many calls the partner takes at once. */
const capacity = 10
const resetMs = 15_000
const opensAfter = 10
const count = 10_000

const partner = defineResource({ name: 'partner', capacity })
const callPartner = defineJob({
  name: 'test.call-partner',
  queue: 'notify',
  data: Type.Object({ n: Type.Integer() }, { additionalProperties: false }),
  target: () => partner.name
})

/** One call that reached the partner; `refused` are those that the breaker kept from it. */
interface Call { beganMs: number, endedMs: number, isOk: boolean }

interface Seen { calls: Call[], refused: number }

export const proofs: Proofs = {
  /** Rounds are seconds for which the partner is dead. */
  async P15 ({ rounds = 180, say }) {
    const service = await startPartner()
    const seen: Seen = { calls: [], refused: 0 }
    const place = newPlace()
    const app = await rig({
      place,
      groups: ['io', 'keeper'],
      declared: { jobs: [callPartner], resources: [partner] },
      bind: (worker) => { bindPartner(worker, service.port, seen) }
    })
    try {
      await addCalls(app)
      await until('under way', () => okOf(seen).length >= 500, 60_000)
      service.die()
      const diedMs = performance.now()
      await sleep(rounds * 1000)
      say(`dead for ${rounds} s: ${outageOf(seen, diedMs, performance.now()).length} calls, ${seen.refused} refused`)
      service.heal()
      const healedMs = performance.now()
      const recovered = (): Call[] => okOf(seen).filter(({ beganMs }) => beganMs > healedMs)
      await until('recovered', () => recovered().length >= 100, 60_000)
      const firstMs = Math.round((recovered()[0]?.endedMs ?? Infinity) - healedMs)
      const flowMs = Math.round((recovered()[99]?.endedMs ?? Infinity) - healedMs)
      say(`healed: the first call after ${firstMs} ms, a hundred after ${flowMs} ms`)
      must(flowMs <= 30_000, `after the heal a hundred calls took ${flowMs} ms`)
      const outage = judgeOutage(outageOf(seen, diedMs, healedMs))
      // Canaries are runs as well.
      const own = { name: callPartner.name, state: 'done' }
      await until('0 lost', async () => await runs(app).countDocuments(own) === count, 240_000)
      must(okOf(seen).length === count, `${okOf(seen).length} calls went well`)
      const spent = await attemptsOf(app)
      // A call that failed is an attempt; what waited, or was refused, costs none, and no run probes again and again.
      const failed = outage.first + outage.probes
      must(spent.total <= failed, `${spent.total} attempts are spent, ${failed} calls failed`)
      must(spent.most <= 2, `one run spent ${spent.most} attempts`)
      return `${count} runs, ${rounds} s dead: open after ${opensAfter} failures (${outage.first} with those under ` +
        `way), ${spent.total} attempts spent, ${outage.probes} probes at least ${outage.leastGapMs} ms apart, ` +
        `${seen.refused} refused, recovered in ${flowMs} ms`
    } finally {
      await app.close()
      await service.stop()
      await dropPlace(place)
    }
  }
}

const okOf = ({ calls }: Seen): Call[] => calls.filter(({ isOk }) => isOk)

/** What failed between two moments, in the order of the ends. */
function outageOf ({ calls }: Seen, fromMs: number, untilMs: number): Call[] {
  return calls.filter(({ isOk, endedMs }) => !isOk && endedMs >= fromMs && endedMs <= untilMs)
    .toSorted((a, b) => a.endedMs - b.endedMs)
}

/** The breaker opens at the tenth failure: what begins later is a probe, one for each reset time. */
function judgeOutage (failed: readonly Call[]) {
  const openedMs = failed[opensAfter - 1]?.endedMs ?? Infinity
  const probes = failed.filter(({ beganMs }) => beganMs > openedMs).toSorted((a, b) => a.beganMs - b.beganMs)
  const first = failed.length - probes.length
  must(first < opensAfter + capacity, `${first} calls began before the breaker was open`)
  const gaps = probes.map(({ beganMs }, i) => beganMs - (i === 0 ? openedMs : probes[i - 1]?.endedMs ?? 0))
  const leastGapMs = Math.round(Math.min(...gaps))
  // A timer may be a few milliseconds early.
  must(leastGapMs >= resetMs - 50, `a probe began ${leastGapMs} ms after the one before it`)
  return { first, probes: probes.length, leastGapMs }
}

async function attemptsOf (app: FastifyInstance): Promise<{ total: number, most: number }> {
  must(await letters(app).countDocuments() === 0, 'a run died of the outage')
  const [sum] = await runs(app).aggregate<{ total: number, most: number }>([
    { $group: { _id: null, total: { $sum: '$attempt' }, most: { $max: '$attempt' } } }
  ]).toArray()
  return sum ?? { total: 0, most: 0 }
}

async function addCalls (app: FastifyInstance): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const items = Array.from({ length: 1000 }, (_, i) => ({ data: { n: from + i }, options: ws }))
    await app.tx(async (session) => await app.jobs.addMany(session, callPartner, items))
  }
}

function bindPartner (worker: FastifyInstance, port: number, seen: Seen): void {
  void worker.register(breaker)
  const agent = new Agent({ keepAlive: true })
  const ask = async (): Promise<void> => await new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent }, (answer) => { answer.resume().once('end', resolve) }).once('error', reject)
  })
  worker.addHook('onClose', () => { agent.destroy() })
  worker.handleJob(callPartner, async () => {
    let isLetThrough = false
    await worker.breakers.call(partner.name, async () => {
      isLetThrough = true
      const beganMs = performance.now()
      const note = (isOk: boolean): void => { seen.calls.push({ beganMs, endedMs: performance.now(), isOk }) }
      await ask().then(() => { note(true) }, (error: unknown) => {
        note(false)
        throw error
      })
    }).finally(() => { if (!isLetThrough) seen.refused++ })
  })
}

interface Partner { port: number, die (): void, heal (): void, stop (): Promise<void> }

/** A service that takes 20 ms; dead, it takes the call and hangs up. */
async function startPartner (): Promise<Partner> {
  let isDead = false
  const server = createServer((request, answer) => {
    setTimeout(() => {
      if (isDead) request.socket.destroy()
      else answer.end('ok')
    }, 20)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    die () { isDead = true },
    heal () { isDead = false },
    async stop () {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}
