import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import type { Group } from '../plugins/index.ts'

// Before anything else is imported: 300 modules load in a quarter of the time.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { exitOnError, runProcess } = await import('../plugins/entrypoint.ts')
/** After waiting for its runs: the aborted ones give back what they have, connections are closed. */
const closingMs = 8000

if (process.argv.at(-1) === '--solo') await exitOnError(serveOne)
else {
  await runProcess(['worker', ...process.argv.slice(2)].join(' '), async (replace) => {
    const { loadConfig } = await import('../src/config/index.ts')
    const { buildApp, groups, startWorkerHealth } = await import('../plugins/index.ts')
    const config = loadConfig(process.env)
    const own = { file: import.meta.filename, replace }
    const app = await buildApp({ role: 'worker', config, groups: chosen(groups), own })
    const port = await startWorkerHealth(app, config.metricsPort)
    return { app, address: `http://127.0.0.1:${port}`, graceMs: config.jobs.drainMs + closingMs }
  })
}

/** The child of a worker that works on one run alone, with the same bindings. */
async function serveOne (): Promise<void> {
  const { loadConfig } = await import('../src/config/index.ts')
  const { buildApp, serveSolo } = await import('../plugins/index.ts')
  const app = await buildApp({ role: 'worker', config: loadConfig(process.env), groups: [] })
  await app.ready()
  await serveSolo(app)
}

/** Groups named as arguments; all when none is named. */
function chosen (groups: readonly Group[]): readonly Group[] {
  const names = process.argv.slice(2)
  const unknown = names.filter((name) => !groups.includes(name as Group))
  if (unknown.length > 0) {
    throw new Error(`No group of workers is named ${unknown.join(', ')}: there are ${groups.join(', ')}.`)
  }
  return names.length === 0 ? groups : names as Group[]
}
