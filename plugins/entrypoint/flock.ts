import { fork, type ChildProcess } from 'node:child_process'
import { get } from 'node:http'
import { text } from 'node:stream/consumers'

export interface FlockOptions {
  /** Entrypoint and arguments of a child. */
  file: string
  args: readonly string[]
  env: NodeJS.ProcessEnv
  say: (line: object) => void
  /** Something came or went. */
  onChange: () => void
}

export interface Child { process: ChildProcess, address: string | null, isLeaving: boolean, exited: Promise<void> }

const firstBackoffMs = 1000
const mostBackoffMs = 30_000

/** Wait before the next start after so many starts in a row that came to nothing. */
export function backoffMs (failures: number): number {
  return Math.min(mostBackoffMs, firstBackoffMs * 2 ** Math.max(0, failures - 1))
}

/** The processes of a supervisor. */
export function createFlock ({ file, args, env, say, onChange }: FlockOptions) {
  const children = new Set<Child>()
  let failures = 0
  let startAtMs = 0

  function start (): void {
    const process = fork(file, [...args], {
      // A port of its own each, for its supervisor; which one it got stands in its log.
      env: { ...env, METRICS_HOST: '127.0.0.1', METRICS_PORT: '0' }, stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    const exited = Promise.withResolvers<void>()
    const child: Child = { process, address: null, isLeaving: false, exited: exited.promise }
    children.add(child)
    process.once('message', (message) => {
      child.address = (message as { address: string | null }).address
      failures = 0
    })
    process.once('exit', (code, signal) => {
      children.delete(child)
      exited.resolve()
      if (!child.isLeaving) noteDeath({ pid: process.pid, code, signal })
      onChange()
    })
  }

  function noteDeath (how: object): void {
    failures++
    startAtMs = performance.now() + backoffMs(failures)
    say({ msg: 'a worker ended and is started again', ...how, inMs: backoffMs(failures) })
  }

  function end (child: Child, reason: string): void {
    child.isLeaving = true
    say({ msg: 'a worker is asked to end', pid: child.process.pid, reason })
    child.process.kill('SIGTERM')
  }

  return {
    end,
    ready: () => [...children].filter(({ address, isLeaving }) => address !== null && !isLeaving),
    /** When the next start may be; in the past: now. */
    startAtMs: () => startAtMs,

    /** Starts or ends as many as that takes. What leaves still has its memory and core, so its heir waits for it. */
    bringTo (count: number): void {
      const staying = [...children].filter(({ isLeaving }) => !isLeaving)
      for (const child of staying.slice(count)) end(child, `${count} are enough`)
      if (performance.now() < startAtMs) return
      for (let there = children.size; there < count; there++) start()
    },

    async close (): Promise<void> {
      for (const child of children) if (!child.isLeaving) end(child, 'the supervisor ends')
      await Promise.all([...children].map(async ({ exited }) => { await exited }))
    }
  }
}

const askMs = 5000

/** What a child says on its small port. */
export async function ask ({ address }: Child, path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const asking = get(`${address}${path}`, { timeout: askMs, agent: false }, (answer) => {
      if (answer.statusCode === 200) resolve(text(answer))
      else reject(new Error(`${path} answers ${answer.statusCode}`))
    })
    asking.once('error', reject)
    asking.once('timeout', () => { asking.destroy(new Error(`no answer in ${askMs} ms`)) })
  })
}
