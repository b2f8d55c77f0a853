import { spawn } from 'node:child_process'
import { fstatSync } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

/** What a stand-in says when it is ready, and how it ends. */
export interface Running {
  ready: Record<string, unknown>
  close: () => Promise<void>
}

/** Runs a stand-in as a process: one JSON line when it is ready, exit 0 on a signal or when the parent is gone. */
export async function runAsProcess (start: () => Promise<Running>): Promise<void> {
  const parent = process.ppid
  const { ready, close } = await start()
  let isEnding = false
  const finish = () => {
    if (isEnding) return
    isEnding = true
    clearInterval(watch)
    close().then(() => process.exit(0), () => process.exit(1))
  }
  // An orphan gets another parent; the pipe tells it sooner, where there is one.
  const watch = setInterval(() => { if (process.ppid !== parent) finish() }, 500)
  process.once('SIGTERM', finish)
  process.once('SIGINT', finish)
  if (isPipe(0)) process.stdin.once('end', finish).once('error', finish).resume()
  process.stdout.on('error', finish)
  process.stdout.write(`${JSON.stringify({ ...ready, pid: process.pid })}\n`)
}

function isPipe (fd: number): boolean {
  const stat = fstatSync(fd)
  return stat.isFIFO() || stat.isSocket()
}

/** A stand-in in its own process, ready to be used; `stop` ends it and waits. */
export interface StandIn<Ready> {
  ready: Ready & { pid: number }
  stop: () => Promise<void>
}

/** Starts the module at `url` with the Node that runs now and waits for its ready line, at most 15 s. */
export async function spawnStandIn<Ready> (url: URL, args: string[] = []): Promise<StandIn<Ready>> {
  const child = spawn(process.execPath, [url.pathname, ...args], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  const exited = once(child, 'exit')
  const line = await Promise.race([
    firstLine(child.stdout, AbortSignal.timeout(15_000)),
    exited.then(([code]) => { throw new Error(`${url.pathname} ended with ${code} before it was ready`) })
  ]).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  return {
    ready: JSON.parse(line) as Ready & { pid: number },
    async stop () {
      child.kill('SIGTERM')
      await exited
    }
  }
}

async function firstLine (stream: Readable, signal: AbortSignal): Promise<string> {
  const [line] = await once(createInterface(stream), 'line', { signal }) as [string]
  return line
}
