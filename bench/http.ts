// `npm run bench -- http`: P1, an authenticated read of 1 KB with every convention on, against bare Fastify.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import { startServices } from '../bin/services.ts'
import { interleave, report, type Measured } from './measure.ts'

const seconds = Number(process.argv[2] ?? 5)
const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
const { MONGO_URL, REDIS_URL } = process.env
const given = MONGO_URL !== undefined && REDIS_URL !== undefined
const stores = given ? undefined : await startServices({ dir, persist: false })
const environment = {
  ...process.env, MONGO_URL: MONGO_URL ?? stores?.mongoUrl, REDIS_URL: REDIS_URL ?? stores?.redisUrl
}

interface Server { child: ChildProcess, address: string, headers: Record<string, string> }

/** Log lines are written, to nowhere: what a line costs is part of the measure. */
async function start (arm: 'ours' | 'bare'): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'http/server.ts'), [arm], {
    env: environment as NodeJS.ProcessEnv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning']
  })
  const [message] = await once(child, 'message') as [{ address: string, headers: Record<string, string> }]
  return { child, ...message }
}

async function load ({ address, headers }: Server): Promise<number> {
  const { requests, non2xx, errors } = await autocannon({
    url: `${address}/bench`, headers, connections: 50, pipelining: 1, duration: seconds
  })
  if (non2xx + errors > 0) throw new Error(`${non2xx} answers were not 2xx, ${errors} failed`)
  return requests.average
}

const servers = [await start('bare'), await start('ours')] as const
try {
  const [bare, ours] = servers
  const measured = await interleave([
    { name: 'bare Fastify', run: async () => await load(bare) }, { name: 'ours', run: async () => await load(ours) }
  ])
  report('http', [{
    id: 'P1',
    what: 'authenticated read of 1 KB, all conventions on',
    unit: 'requests/s',
    ours: measured.get('ours') as Measured,
    baseline: measured.get('bare Fastify') as Measured,
    must: { atLeast: 0.7 },
    goal: 0.8
  }])
} finally {
  for (const { child } of servers) {
    child.send('stop')
    await once(child, 'exit')
  }
  await stores?.stop()
  rmSync(dir, { recursive: true, force: true })
}
