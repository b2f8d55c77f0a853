// What every process of the product does around its app; the entrypoints say only what is theirs.
import { flushCompileCache } from 'node:module'
import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { ConfigError } from '../src/config/index.ts'
import type { SuperviseOptions } from './entrypoint/supervise.ts'

/** Sent to the parent, and printed as one line of the log, when the process does its work. */
export interface ReadyMessage { msg: 'ready', role: string, pid: number, address: string | null }

const defaultGraceMs = 30_000

interface Started {
  app: FastifyInstance
  address: string | null
  /** How long closing may take. */
  graceMs?: number
}

/** Closes the app in good order and ends the process with an error: a supervisor starts another one. */
type Replace = (reason: string) => void

/** Runs an app until a signal, or until the parent that started it is gone; then closes it in good order. */
export async function runProcess (role: string, start: (replace: Replace) => Promise<Started>): Promise<void> {
  let leave = (): void => { process.exit(1) }
  if (process.connected) process.once('disconnect', () => { leave() })
  process.channel?.unref()
  let replace: Replace = () => { process.exit(1) }
  await exitOnError(async () => {
    const { app, address, graceMs = defaultGraceMs } = await start((reason) => { replace(reason) })
    replace = () => {
      setTimeout(() => { process.exit(1) }, graceMs)
      void app.close().finally(() => { process.exit(1) })
    }
    // A second signal ends the process at once.
    const closer = closeWithGrace({ delay: graceMs, logger: app.log }, async ({ err, signal }) => {
      if (err !== undefined) app.log.fatal({ err }, 'closing after an error that nobody caught')
      else app.log.info({ signal }, 'closing')
      await app.close()
    })
    leave = () => { closer.close() }
    announce({ msg: 'ready', role, pid: process.pid, address })
    // Else it is written at a good end only: who follows a killed process would compile everything once more.
    flushCompileCache()
  })
}

/** Keeps workers running until a signal or the end of the parent that started it; a second signal ends all at once. */
export async function runSupervisor (
  range: string, options: Omit<SuperviseOptions, 'least' | 'most' | 'say'>
): Promise<void> {
  const { boundsOf, supervise } = await import('./entrypoint/supervise.ts')
  const bounds = boundsOf(range)
  const ending = new AbortController()
  function end (): void {
    // Their channel closes with this process, and they end by that.
    if (ending.signal.aborted) process.exit(1)
    ending.abort()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end)
  if (process.connected) process.once('disconnect', end)
  process.channel?.unref()
  function say (line: object): void {
    process.stdout.write(`${JSON.stringify({ level: 30, time: Date.now(), ...line })}\n`)
  }
  await supervise({ ...options, ...bounds, say }, ending.signal)
  process.exit(0)
}

/** Runs a step of a boot; an error is one sentence on stderr and exit code 1. */
export async function exitOnError (run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    process.stderr.write(`${explain(error as Error)}\n`)
    process.exit(1)
  }
}

function announce (message: ReadyMessage): void {
  process.stdout.write(`${JSON.stringify({ level: 30, time: Date.now(), ...message })}\n`)
  if (process.connected) process.send?.(message)
}

/** A sentence for what an operator can mend, the whole stack for what is a mistake of ours. */
function explain (error: Error): string {
  const isExpected = error instanceof ConfigError || error.constructor === Error || 'code' in error
  return isExpected ? error.message : error.stack ?? error.message
}
