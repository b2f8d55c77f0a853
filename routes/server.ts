import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Before anything else is imported: 300 modules load in a quarter of the time.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { runProcess } = await import('../plugins/entrypoint.ts')

await runProcess('server', async () => {
  const { loadConfig } = await import('../src/config/index.ts')
  const { buildApp } = await import('../plugins/index.ts')
  const config = loadConfig(process.env)
  const app = await buildApp({ role: 'server', config })
  const address = await app.listen({ host: config.http.host, port: config.http.port })
  return { app, address }
})
