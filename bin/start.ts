// `npm start`: stores, migration, server and workers in one go; what dies is started again.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { startProduct } = await import('./start/product.ts')
const { watchSources } = await import('./start/watch.ts')
type Product = Awaited<ReturnType<typeof startProduct>>

const { values } = parseArgs({ options: { operator: { type: 'string' }, watch: { type: 'boolean', default: false } } })
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const asked = Promise.withResolvers<string>()
for (const signal of signals) process.on(signal, () => { asked.resolve(signal) })

try {
  await run()
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
}

async function run (): Promise<void> {
  const started = performance.now()
  const product = await startProduct({
    name: values.watch ? 'npm run dev' : 'npm start',
    env: process.env,
    say,
    ...(values.operator && { operator: values.operator })
  })
  welcome(product, performance.now() - started)
  const watcher = values.watch ? watchSources(product.supervisor, say) : undefined
  try {
    await Promise.race([asked.promise, product.supervisor.failed])
  } finally {
    say('Stopping.')
    watcher?.close()
    await product.stop()
  }
}

function welcome ({ addresses, operator, logs }: Product, tookMs: number): void {
  const [address = ''] = addresses
  const lines = [
    `Switchyard is ready after ${(tookMs / 1000).toFixed(1)} s.`,
    '',
    `  Console   ${address}/console`,
    `  Docs      ${address}/docs`,
    `  API       ${address}/v1`,
    `  Live      ${address.replace(/^http/, 'ws')}/live`,
    `  Logs      ${logs}`,
    ''
  ]
  if (operator !== undefined) {
    lines.push(`  First operator: ${operator.email}, one-time password ${operator.password} (shown only now)`, '')
  }
  lines.push('Ctrl-C stops everything.', '')
  process.stdout.write(lines.join('\n'))
}

function say (line: string): void {
  process.stderr.write(`${line}\n`)
}
