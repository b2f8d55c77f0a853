// `npm run bench -- http`: P1, an authenticated read of 1 KB with every convention on, against bare Fastify.
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { startServices } from '../bin/services.ts'
import { interleave, report, summarize, type Measured } from './measure.ts'

const seconds = Number(process.argv[2] ?? 5)
/** What else the machine does: beside other work, caches are cold and the larger program loses more. */
const [loadBefore = 0] = loadavg()
const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
const { MONGO_URL, REDIS_URL } = process.env
const given = MONGO_URL !== undefined && REDIS_URL !== undefined
const stores = given ? undefined : await startServices({ dir, persist: false })
const environment = {
  ...process.env, MONGO_URL: MONGO_URL ?? stores?.mongoUrl, REDIS_URL: REDIS_URL ?? stores?.redisUrl
}

interface Server { child: ChildProcess, address: string, headers: Record<string, string>, perSecond: number[] }

/** Log lines are written, to nowhere: what a line costs is part of the measure. */
async function start (arm: 'ours' | 'bare'): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'http/server.ts'), [arm], {
    env: environment as NodeJS.ProcessEnv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning']
  })
  const [message] = await once(child, 'message') as [{ address: string, headers: Record<string, string> }]
  return { child, ...message, perSecond: [] }
}

/** Servers on one core and the load on another, where the system has a word for it. */
function separate (servers: readonly Server[]): boolean {
  if (availableParallelism() < 2) return false
  try {
    for (const { child } of servers) execFileSync('taskset', ['-acp', '0', String(child.pid)], { stdio: 'ignore' })
    execFileSync('taskset', ['-acp', '1', String(process.pid)], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Seconds of processor time that a server has used. */
async function used ({ child }: Server): Promise<number> {
  child.send('cpu')
  const [{ user, system }] = await once(child, 'message') as [{ user: number, system: number }]
  return (user + system) / 1e6
}

/** Requests for a second of the server's processor: what it answers when nothing else runs beside it. */
async function load (server: Server): Promise<number> {
  const before = await used(server)
  const { requests, non2xx, errors } = await autocannon({
    url: `${server.address}/bench`, headers: server.headers, connections: 50, pipelining: 1, duration: seconds
  })
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers were not 2xx, ${errors} failed`)
  server.perSecond.push(requests.average)
  return requests.total / (await used(server) - before)
}

function noteOf (name: string, { perSecond }: Server, { median }: Measured): string {
  const rate = summarize(name, perSecond.slice(1)).median
  return `${name}: ${(1e6 / median).toFixed(1)} µs of processor a request; ${Math.round(rate)} requests/s as it ran`
}

const servers = [await start('bare'), await start('ours')] as const
try {
  const [bare, ours] = servers
  const isSeparate = separate(servers)
  const measured = await interleave([
    { name: 'bare Fastify', run: async () => await load(bare) }, { name: 'ours', run: async () => await load(ours) }
  ])
  const [oursMeasured, bareMeasured] = [measured.get('ours') as Measured, measured.get('bare Fastify') as Measured]
  report('http', [{
    id: 'P1',
    what: 'authenticated read of 1 KB, all conventions on',
    unit: 'requests per second of processor',
    ours: oursMeasured,
    baseline: bareMeasured,
    must: { atLeast: 0.7 },
    goal: 0.8
  }], [
    noteOf('bare Fastify', bare, bareMeasured),
    noteOf('ours', ours, oursMeasured),
    isSeparate ? 'servers on core 0, load on core 1' : 'servers and load share all cores',
    `load average of the machine before: ${loadBefore.toFixed(1)}`
  ])
} finally {
  for (const { child } of servers) {
    child.send('stop')
    await once(child, 'exit')
  }
  await stores?.stop()
  rmSync(dir, { recursive: true, force: true })
}
