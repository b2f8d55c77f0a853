import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Config } from '../src/config/index.ts'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { exitOnError } = await import('../plugins/entrypoint.ts')

// `--first-operator <mail>`: makes the first operator of a store without users. `--operator <mail>`: the same, and
// a new password as long as no operator has signed in. The one-time password is printed last, and never logged.
const options = { operator: { type: 'string' }, 'first-operator': { type: 'string' } } as const

await exitOnError(async () => {
  const { values } = parseArgs({ options })
  const { createMasterKeys, loadConfig } = await import('../src/config/index.ts')
  const config = loadConfig(withMasterKeys(process.env, createMasterKeys))
  say(await bringSchema(config))
  const email = values.operator ?? values['first-operator']
  if (email === undefined) return
  const operator = await makeOperator(config, email, values.operator !== undefined)
  say(operator === null ? { msg: 'this store has users already' } : { operator })
})

/** Outside production the keys of an installation are made on first use. */
function withMasterKeys (env: NodeJS.ProcessEnv, create: (dataDir: string) => string): NodeJS.ProcessEnv {
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === undefined || env['MASTER_KEYS']) return env
  return { ...env, MASTER_KEYS: create(env['DATA_DIR'] ?? '.data') }
}

/** Collections and indexes as the plugins declare them: a server that touches no network knows them all. */
async function bringSchema (config: Config): Promise<object> {
  const { buildApp, migrate } = await import('../plugins/index.ts')
  const app = await buildApp({ role: 'server', config, offline: true })
  await app.ready()
  const report = await migrate(config.mongo, app.registry.collections.values())
  await app.close()
  return { msg: 'migrated', ...report }
}

async function makeOperator (config: Config, email: string, renew: boolean) {
  const { buildApp } = await import('../plugins/index.ts')
  const app = await buildApp({ role: 'worker', config, groups: [] })
  try {
    await app.ready()
    return await app.identity.makeFirstOperator(email, { renew })
  } finally {
    await app.close()
  }
}

function say (line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
