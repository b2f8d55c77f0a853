import type { FastifyInstance } from 'fastify'
import { startWatchdog } from './watchdog.ts'
import type { FromChild, ToChild } from './solo.ts'

const beatMs = 1000

/**
 * The forked child of a worker: works on the one run that it is told, says how that ended, and ends. The app is ready
 * and consumes nothing.
 */
export async function serveSolo (app: FastifyInstance): Promise<void> {
  // Its worker is gone: the run goes to another one within a second, and this start has no say any more.
  process.once('disconnect', () => { process.exit(1) })
  // It may have died while we booted.
  if (!process.connected) process.exit(1)
  // The run goes back, as those of a worker do: a child that merely died would condemn it.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => { app.solo.abort('shutdown') })
  }
  // Without it an endless loop would outlive the worker, deaf to signals.
  if (!await startWatchdog({ limitMs: 3_600_000, parent: process.ppid }).isOn) process.exit(1)
  const told = Promise.withResolvers<ToChild & { say: 'start' }>()
  process.on('message', (message: ToChild) => {
    if (message.say === 'start') told.resolve(message)
    else app.solo.abort(message.reason)
  })
  setInterval(() => { tell({ say: 'beat' }) }, beatMs).unref()
  tell({ say: 'ready' })
  const { key } = await told.promise
  const ended = await app.solo.run(key)
  await new Promise<void>((resolve) => { tell({ say: 'ended', ended }, resolve) })
  await app.close()
  process.exit(0)
}

function tell (message: FromChild, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => { then() })
  else then()
}
