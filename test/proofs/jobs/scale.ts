// P18: sixteen partitions on a Redis Cluster of three nodes. P33: the canary of a group whose worker dies.
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { Type } from 'typebox'
import type { Proofs } from '../../../bin/proof.ts'
import { startServices } from '../../../bin/services.ts'
import { findRedis } from '../../../bin/services/binaries.ts'
import type { Held } from '../../../bin/services/hold.ts'
import { portFor } from '../../../bin/services/ports.ts'
import { redisStore } from '../../../bin/services/redis.ts'
import { launch } from '../../../bin/services/store.ts'
import { canaryProblem } from '../../../src/jobs/canary.ts'
import { createCanaryRepository } from '../../../src/jobs/repository.ts'
import { defineJob, uuidv7 } from '../../../src/kernel/index.ts'
import { rig, until, type Place } from '../../jobs/rig.ts'
import { bindEffects, declared, effectJob, effectsOf, kill, startVictim } from '../../jobs/victim.ts'

const partitions = 16
const workspaces = 8000
const runsOfEach = 2
const hashSlots = 16_384

export const proofs: Proofs = {
  async P18 ({ say }) {
    return await withStores(async (mongoUrl, dir) => {
      const cluster = await startCluster(dir, say)
      try {
        return await onCluster(placeOn(mongoUrl, cluster.url), cluster.ports, say)
      } finally {
        await cluster.stop()
      }
    })
  },

  async P33 ({ say }) {
    return await withStores(async (mongoUrl, _dir, redisUrl) => await deadGroup(placeOn(mongoUrl, redisUrl), say))
  }
}

const placeOn = (mongoUrl: string, redisUrl: string): Place =>
  ({ mongoUrl, redisUrl, name: `j${randomBytes(6).toString('hex')}` })

async function withStores (
  work: (mongoUrl: string, dir: string, redisUrl: string) => Promise<string>
): Promise<string> {
  const dir = join(tmpdir(), `switchyard-proof-${randomBytes(6).toString('hex')}`)
  const services = await startServices({ dir: join(dir, 'stores'), persist: true })
  try {
    return await work(services.mongoUrl, dir, services.redisUrl)
  } finally {
    await services.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

interface ClusterOfThree { url: string, ports: number[], stop: () => Promise<void> }

/** Three primaries without replicas, each with a third of the hash slots. */
async function startCluster (dir: string, say: (line: string) => void): Promise<ClusterOfThree> {
  const binary = await findRedis(process.env, say)
  const held: Held[] = []
  const ports: number[] = []
  async function stop (): Promise<void> { await Promise.all(held.map(async (one) => { await one.stop() })) }
  try {
    for (let node = 0; node < 3; node++) {
      const root = join(dir, `node-${node}`)
      mkdirSync(root, { recursive: true })
      const port = await portFor(`${root} redis`)
      const store = redisStore(binary, root, port, 'append-only')
      held.push(await launch({ ...store, command: [...store.command, '--cluster-enabled', 'yes'] }))
      ports.push(port)
    }
    await join3(ports)
    return { url: `redis-cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`, ports, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function join3 (ports: readonly number[]): Promise<void> {
  const nodes = ports.map((port) => new Redis(port, '127.0.0.1'))
  try {
    for (const [i, node] of nodes.entries()) {
      const [from, to] = [Math.floor(i * hashSlots / 3), Math.floor((i + 1) * hashSlots / 3) - 1]
      await node.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to))
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
    }
    for (const port of ports.slice(1)) await nodes[0]?.call('CLUSTER', 'MEET', '127.0.0.1', String(port))
    await until('the cluster stands', async () => {
      const infos = await Promise.all(nodes.map(async (node) => String(await node.call('CLUSTER', 'INFO'))))
      return infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3'))
    }, 30_000)
  } finally {
    for (const node of nodes) node.disconnect()
  }
}

async function onCluster (place: Place, ports: readonly number[], say: (line: string) => void): Promise<string> {
  const common = { place, partitions, declared, logLevel: 'silent' }
  const apps: FastifyInstance[] = []
  try {
    for (const groups of [['keeper'], ['io'], ['io', 'keeper']]) {
      apps.push(await rig({ ...common, groups, bind: bindEffects() }))
    }
    const server = await rig({ ...common, role: 'server' })
    apps.push(server)
    const names = Array.from({ length: workspaces }, () => uuidv7())
    for (let round = 0; round < runsOfEach; round++) {
      for (let from = 0; from < names.length; from += 200) {
        await server.tx(async (session) => {
          await server.jobs.addMany(session, effectJob, names.slice(from, from + 200).map(
            (workspaceId) => ({ data: { ms: 0 }, options: { workspaceId } })))
        })
      }
    }
    const all = workspaces * runsOfEach
    await until('every run is done', async () => await effectsOf(server).countDocuments() === all, 300_000)
    const twice = await effectsOf(server).countDocuments({ count: { $ne: 1 } })
    if (twice > 0) throw new Error(`${twice} of ${all} runs had their effect more than once`)
    const shares = await sharesOfPartitions(server)
    const off = Math.max(...shares.map((count) => Math.abs(count / (all / partitions) - 1)))
    if (shares.length !== partitions || off > 0.2) throw new Error(`partitions are uneven: ${shares.join(', ')}`)
    say(`partitions: ${shares.join(', ')}`)
    const { used, crossed } = await errorsOf(ports)
    if (crossed > 0) throw new Error(`${crossed} commands were refused for keys of different slots`)
    if (used < 3) throw new Error(`only ${used} of 3 nodes were used`)
    return `${all} runs, 0 lost, 0 double, ${partitions} partitions within ${(off * 100).toFixed(0)} %, ` +
      `${used} nodes, 0 CROSSSLOT`
  } finally {
    for (const app of apps.reverse()) await app.close()
  }
}

async function sharesOfPartitions ({ db }: FastifyInstance): Promise<number[]> {
  const counts = await db.collection('jobs.runs').aggregate<{ count: number }>([
    { $match: { name: effectJob.name } },
    { $group: { _id: { $mod: ['$slot', partitions] }, count: { $sum: 1 } } }, { $sort: { _id: 1 } }
  ]).toArray()
  return counts.map(({ count }) => count)
}

/** What the nodes counted themselves: refusals for crossed slots, and who holds queues at all. */
async function errorsOf (ports: readonly number[]): Promise<{ used: number, crossed: number }> {
  let used = 0
  let crossed = 0
  for (const port of ports) {
    const node = new Redis(port, '127.0.0.1')
    crossed += Number(/errorstat_CROSSSLOT:count=(\d+)/.exec(await node.info('errorstats'))?.[1] ?? 0)
    used += (await node.keys('*:{j*}:fast:*')).length > 0 ? 1 : 0
    node.disconnect()
  }
  return { used, crossed }
}

const bulkJob = defineJob({
  name: 'test.do-bulk', queue: 'bulk', data: Type.Object({}, { additionalProperties: false })
})

/** Two groups, of which one dies; the other goes on, and nobody sends the dead one any work but canaries. */
async function deadGroup (place: Place, say: (line: string) => void): Promise<string> {
  const both = { ...declared, jobs: [effectJob, bulkJob] }
  const bind = (app: FastifyInstance): void => {
    bindEffects()(app)
    app.handleJob(bulkJob, async () => undefined)
  }
  const keeper = await rig({ place, groups: ['keeper', 'cpu'], declared: both, bind })
  const server = await rig({ place, role: 'server', declared: both })
  let victim = await startVictim({ place, groups: ['io'] })
  // The very check of readiness, as its probe asks it every five seconds.
  const check = server.healthChecks.list().find(({ name }) => name === 'canary')?.check
  if (check === undefined) throw new Error('the server has no check of canaries')
  const isWell = async (): Promise<boolean> => await check().then(() => true, () => false)
  const canaries = createCanaryRepository(server.db)
  const ofFast = { type: 'jobs.canary.failed', 'data.queue': 'fast' }
  try {
    await until('canaries of both queues came back', async () => {
      const latest = await canaries.latest()
      const back = latest.filter(({ state }) => state === 'done').map(({ queue }) => queue)
      return back.includes('fast') && back.includes('bulk') && back.length === latest.length
    }, 90_000)
    if (!await isWell()) throw new Error('readiness warns while all groups live')
    await kill(victim)
    say('the group io is dead')
    const warnedMs = await until('readiness warns', async () => {
      await sleep(200)
      return !await isWell()
    }, 180_000)
    const problem = canaryProblem(await canaries.latest(), server.clock.ms(), 0) ?? ''
    if (!/ fast[, ]/.test(problem) || / bulk/.test(problem)) throw new Error(`it blames the wrong queue: ${problem}`)
    await until('it is told as an event', async () =>
      await server.db.collection('jobs.events').countDocuments(ofFast) === 1, 70_000)
    victim = await startVictim({ place, groups: ['io'] })
    const backMs = await until('readiness is well again', isWell, 120_000)
    const told = await server.db.collection('jobs.events').countDocuments(ofFast)
    if (told !== 1) throw new Error(`the failure was told ${told} times`)
    const [warned, back] = [warnedMs, backMs].map((ms) => (ms / 1000).toFixed(0))
    return `warned after ${warned} s, told once, well ${back} s after its return`
  } finally {
    await kill(victim)
    await server.close()
    await keeper.close()
  }
}
