import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Group } from '../plugins/index.ts'

// Before anything else is imported: 300 modules load in a quarter of the time.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { exitOnError, runProcess, runSupervisor } = await import('../plugins/entrypoint.ts')
/** After waiting for its runs: the aborted ones give back what they have, connections are closed. */
const closingMs = 8000

// `--supervise 1..4`: so many processes of this worker, by the signal of the queues; `--memory-mib 1024` replaces one.
const options = {
  solo: { type: 'boolean' }, supervise: { type: 'string' }, 'memory-mib': { type: 'string', default: '1024' }
} as const
const args = parseArgs({ options, allowPositionals: true, strict: false })

if (args.values.solo === true) await exitOnError(serveOne)
else if (args.values.supervise !== undefined) await exitOnError(superviseMany)
else {
  await runProcess(['worker', ...process.argv.slice(2)].join(' '), async (replace) => {
    const { loadConfig } = await import('../src/config/index.ts')
    const { buildApp, groups, startWorkerHealth } = await import('../plugins/index.ts')
    const config = loadConfig(process.env)
    const own = { file: import.meta.filename, replace }
    const app = await buildApp({ role: 'worker', config, groups: chosen(groups), own })
    const address = await startWorkerHealth(app, { host: config.metricsHost, port: config.metricsPort })
    return { app, address, graceMs: config.jobs.shutdownMs + closingMs }
  })
}

/** The child of a worker that works on one run alone, with the same bindings. */
async function serveOne (): Promise<void> {
  // Its worker may die while this one boots.
  process.once('disconnect', () => { process.exit(1) })
  const { loadConfig } = await import('../src/config/index.ts')
  const { buildApp, serveSolo } = await import('../plugins/index.ts')
  const app = await buildApp({ role: 'worker', config: loadConfig(process.env), groups: [] })
  await app.ready()
  await serveSolo(app)
}

/** Processes of this very entrypoint; this one holds no connection. */
async function superviseMany (): Promise<void> {
  const { loadConfig } = await import('../src/config/index.ts')
  const { groups } = await import('../plugins/index.ts')
  const { queuesOf } = await import('../src/jobs/index.ts')
  loadConfig(process.env)
  const names = chosen(groups)
  await runSupervisor(String(args.values.supervise), {
    file: import.meta.filename,
    args: names,
    env: process.env,
    queues: queuesOf(names),
    memoryBytes: Number(args.values['memory-mib']) * 2 ** 20
  })
}

/** Groups named as arguments; all when none is named. */
function chosen (groups: readonly Group[]): readonly Group[] {
  const names = args.positionals
  const option = Object.keys(args.values).find((name) => !(name in options))
  if (option !== undefined) throw new Error(`A worker has no option --${option}.`)
  const unknown = names.filter((name) => !groups.includes(name as Group))
  if (unknown.length > 0) {
    throw new Error(`No group of workers is named ${unknown.join(', ')}: there are ${groups.join(', ')}.`)
  }
  return names.length === 0 ? groups : names as Group[]
}
