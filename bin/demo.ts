// `npm run demo`: the main job on real input, with its own stores and folder, and the product stays up at the end.
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/compile'))
const { openStage } = await import('./demo/stage.ts')
const { runMainJob } = await import('./demo/main-job.ts')
const { createScreen } = await import('./demo/screen.ts')

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    chaos: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false }
  }
})

const stop = Promise.withResolvers<void>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { stop.resolve() })

try {
  process.exitCode = await demo()
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
}

async function demo (): Promise<number> {
  const screen = createScreen()
  screen.line('Bringing up stores, a social platform to read from, a mail sink, two servers and two workers.')
  const dir = join(process.env['DATA_DIR'] || '.data', 'demo')
  const stage = await openStage({ dir, env: process.env, isSmall: values.small, say: screen.line })
  try {
    const isOk = await play(stage, screen)
    if (!values.once) await Promise.race([stop.promise, stage.product.supervisor.failed])
    return isOk ? 0 : 1
  } finally {
    screen.line('Stopping.')
    await stage.close()
  }
}

async function play (stage: Awaited<ReturnType<typeof openStage>>, screen: ReturnType<typeof createScreen>) {
  const options = {
    isSmall: values.small,
    isChaos: values.chaos,
    isScripted: values.chaos,
    timeScale: values.chaos ? 3 : 1,
    quietMs: 60_000
  }
  const outcome = await Promise.race([
    runMainJob(stage, options, screen.listener),
    stop.promise.then(() => { throw new Error('Stopped before the end.') })
  ])
  const { figures, rows, failures, memory, person } = outcome
  const most = values.chaos ? 150 : 60
  const isFast = (figures.seconds ?? Infinity) <= most
  if (values.strict || values.chaos) rows[12] = isFast
  const isOk = Object.values(rows).every(Boolean)
  screen.end({ figures, failures, isOk })
  if (!values.once && person !== undefined) screen.welcome(stage.servers[0], person)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...figures, memory, rows })}\n`)
  return isOk
}

function say (line: string): void {
  process.stderr.write(`${line}\n`)
}
