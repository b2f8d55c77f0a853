import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch, reasonOf, type Store } from '../services/store.ts'

/** One run of a part. */
export interface Run {
  pid: number
  /** Settles when the run has ended, with why in one sentence. */
  ended: Promise<string>
  stop: () => Promise<void>
}

/** Something that is kept running: a store or a process of the product. */
export interface Part {
  name: string
  kind: 'store' | 'process'
  /** Starts it once and waits until it does its work; `onSpawn` hears the pid at once. Throws why it did not start. */
  start: (onSpawn: (pid: number) => void) => Promise<Run>
}

export function storePart (name: string, store: Store): Part {
  return {
    name,
    kind: 'store',
    async start (onSpawn) {
      const held = await launch(store, onSpawn)
      return { pid: held.pid, ended: held.exited.then((code) => reasonOf(store, code)), stop: held.stop }
    }
  }
}

export interface ProcessOptions {
  name: string
  /** Absolute path of the entrypoint. */
  file: string
  args?: readonly string[]
  env: NodeJS.ProcessEnv
  /** Folder of the log files. */
  logs: string
  /** Called at every start with what the process says of itself. */
  onReady?: (message: { address: string | null }) => void
}

const root = join(import.meta.dirname, '../..')
/** Young objects get less room than by default: a quarter less memory for a process, and no slower here. */
const nodeOptions = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4']
const graceMs = 35_000
const bootMs = 60_000

/** An entrypoint as a process of its own: it says `{ msg: 'ready' }` over its channel, and ends when that ends. */
export function processPart ({ name, file, args = [], env, logs, onReady }: ProcessOptions): Part {
  const log = join(logs, `${name.replaceAll(' ', '-')}.log`)
  return {
    name,
    kind: 'process',
    async start (onSpawn) {
      const child = spawnLogged(file, args, env, log)
      const exited = once(child, 'exit')
      const ended = exited.then(([code, signal]: unknown[]) => `${name} ended (${how(code, signal)}): see ${log}.`)
      onSpawn(child.pid ?? 0)
      const first = await Promise.race([once(child, 'message'), exited, sleep(bootMs, undefined, { ref: false })])
      const message = first?.[0] as { msg?: string, address: string | null } | number | null | undefined
      if (typeof message !== 'object' || message?.msg !== 'ready') {
        await endChild(child, exited)
        throw new Error(`${name} did not start: ${lastLine(log)}`)
      }
      onReady?.(message)
      return { pid: child.pid ?? 0, ended, stop: async () => { await endChild(child, exited) } }
    }
  }
}

/** Detached, so that Ctrl-C reaches only the parent, which stops the parts in order. */
function spawnLogged (file: string, args: readonly string[], env: NodeJS.ProcessEnv, log: string): ChildProcess {
  mkdirSync(join(log, '..'), { recursive: true })
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 20_000_000) truncateSync(log)
  const output = openSync(log, 'a')
  try {
    return fork(file, [...args], {
      cwd: root,
      env,
      detached: true,
      execArgv: nodeOptions,
      stdio: ['ignore', output, output, 'ipc']
    })
  } finally {
    closeSync(output)
  }
}

async function endChild (child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const patience = new AbortController()
  const late = sleep(graceMs, 'late', { signal: patience.signal }).catch(() => 'ended')
  if (await Promise.race([exited, late]) === 'late') child.kill('SIGKILL')
  patience.abort()
  await exited
}

function how (code: unknown, signal: unknown): string {
  return typeof signal === 'string' ? signal : `exit code ${String(code)}`
}

function lastLine (log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? `see ${log}`
}
