import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { exitOnError } = await import('../plugins/entrypoint.ts')

// `--operator <mail>`: on a store without users, makes the first operator; prints the one-time password as last line.
const { values } = parseArgs({ options: { operator: { type: 'string' } } })
await exitOnError(async () => {
  const { createMasterKeys, loadConfig } = await import('../src/config/index.ts')
  const { migrate } = await import('../plugins/index.ts')
  const config = loadConfig(withMasterKeys(process.env, createMasterKeys))
  const { operator } = await migrate(config, values)
  if (operator !== undefined) process.stdout.write(`${JSON.stringify({ operator })}\n`)
})

/** Outside production the keys of an installation are made on first use. */
function withMasterKeys (env: NodeJS.ProcessEnv, create: (dataDir: string) => string): NodeJS.ProcessEnv {
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === undefined || env['MASTER_KEYS']) return env
  return { ...env, MASTER_KEYS: create(env['DATA_DIR'] ?? '.data') }
}
