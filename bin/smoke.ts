// `npm run smoke`: each entrypoint as a process, to its ready line, then SIGTERM: exit 0 within 10 s.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from './services.ts'

const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'switchyard-smoke-'))
const bootMs = 30_000
const stopMs = 10_000
const late = Symbol('late')

const services = await startServices({ dir: join(dir, 'stores'), persist: false })
const env = {
  ...process.env,
  NODE_ENV: 'development',
  MONGO_URL: services.mongoUrl,
  REDIS_URL: services.redisUrl,
  DATA_DIR: dir,
  HTTP_PORT: '0',
  LOG_LEVEL: 'warn'
}

try {
  const { createMasterKeys } = await import('../src/config/index.ts')
  const whole = { ...env, MASTER_KEYS: createMasterKeys(dir) }
  await step('migrate', async () => { await endsWith(launch('workers/migrate.ts', [], whole), bootMs) })
  await step('server', async () => { await servesAndStops(launch('routes/server.ts', [], whole)) })
  await step('worker', async () => { await becomesReadyAndStops(launch('workers/worker.ts', [], whole)) })
  await step('worker io', async () => { await becomesReadyAndStops(launch('workers/worker.ts', ['io'], whole)) })
} finally {
  await services.stop()
  rmSync(dir, { recursive: true, force: true })
}

async function step (name: string, run: () => Promise<void>): Promise<void> {
  const started = performance.now()
  try {
    await run()
    process.stdout.write(`${name} ok, ${((performance.now() - started) / 1000).toFixed(1)} s\n`)
  } catch (error) {
    process.stdout.write(`${name} FAILED: ${(error as Error).message}\n`)
    process.exitCode = 1
  }
}

interface ReadyLine { msg: string, address: string | null }
interface Launched {
  child: ChildProcess
  firstLine: Promise<ReadyLine>
  errors: Promise<string>
  exit: Promise<number>
}

function launch (file: string, args: string[], env: NodeJS.ProcessEnv): Launched {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, file), ...args], {
    cwd: root, env, stdio: ['ignore', 'pipe', 'pipe']
  })
  const firstLine = readyLine(child)
  // Not every program is asked for one.
  firstLine.catch(() => {})
  return {
    child,
    firstLine,
    errors: text(child.stderr),
    exit: once(child, 'exit').then(([code]: (number | null)[]) => code ?? 1)
  }
}

async function readyLine ({ stdout }: ChildProcess): Promise<ReadyLine> {
  if (stdout === null) throw new Error('no output')
  for await (const line of createInterface({ input: stdout })) {
    if (line.includes('"msg":"ready"')) return JSON.parse(line) as ReadyLine
  }
  throw new Error('it ended without a ready line')
}

async function becomesReadyAndStops (launched: Launched): Promise<ReadyLine> {
  const ready = await readyOf(launched)
  launched.child.kill('SIGTERM')
  await endsWith(launched, stopMs)
  return ready
}

async function servesAndStops (launched: Launched): Promise<void> {
  const { address } = await readyOf(launched)
  try {
    const { status } = await fetch(`${address}/health/live`)
    if (status !== 200) throw new Error(`/health/live answers ${status}`)
  } finally {
    launched.child.kill('SIGTERM')
  }
  await endsWith(launched, stopMs)
}

async function readyOf (launched: Launched): Promise<ReadyLine> {
  try {
    return await within(launched.firstLine, bootMs, 'ready')
  } catch (error) {
    launched.child.kill('SIGKILL')
    throw new Error(`${(error as Error).message}: ${(await launched.errors).trim()}`)
  }
}

async function endsWith ({ child, exit, errors }: Launched, ms: number): Promise<void> {
  try {
    const code = await within(exit, ms, 'ended')
    if (code !== 0) throw new Error(`exit code ${code}: ${(await errors).trim()}`)
  } finally {
    child.kill('SIGKILL')
  }
}

async function within<T> (promise: Promise<T>, ms: number, what: string): Promise<T> {
  const answer = await Promise.race([promise, sleep(ms, late, { ref: false })])
  if (answer === late) throw new Error(`not ${what} after ${ms / 1000} s`)
  return answer as T
}
