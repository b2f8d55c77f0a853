import { setTimeout as sleep } from 'node:timers/promises'
import { RunAborted, type RunPolicy } from '../../src/jobs/index.ts'
import { withContext, type Context } from '../../src/kernel/index.ts'

/** Time between the abort of a handler and the end of the wait for it. */
export const giveUpMs = 10_000

export type Settled = { result: unknown } | { error: unknown }

interface Waiting {
  context: Context & { signal: AbortSignal }
  work: () => Promise<unknown>
  giveUpMs: number
  /** The handler did not end although it was told to; it may still be at work. */
  onIgnored: (reason: RunAborted['reason']) => void
}

/** Runs a handler in the context of its run; an abort of ours is the reason whatever the handler made of it. */
export async function settle (waiting: Waiting): Promise<Settled> {
  const { context, work } = waiting
  const { signal } = context
  try {
    const handled = withContext(context, work)
    return { result: await Promise.race([handled, givenUp(waiting, handled)]) }
  } catch (error) {
    return { error: signal.reason instanceof RunAborted ? signal.reason : error }
  }
}

/** Ends the wait for a handler that ignores its signal; the fence stops what it still writes. */
async function givenUp (
  { context: { signal }, giveUpMs, onIgnored }: Waiting, handled: Promise<unknown>
): Promise<never> {
  const isSettled = handled.then(() => true, () => true)
  const isAborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => { resolve() }, { once: true })
  })
  await Promise.race([isSettled, isAborted])
  const timer = new AbortController()
  const isLate = sleep(giveUpMs, false, { signal: timer.signal }).catch(() => false)
  if (await Promise.race([isSettled, isLate])) {
    timer.abort()
    return await new Promise<never>(() => undefined)
  }
  if (signal.reason instanceof RunAborted) onIgnored(signal.reason.reason)
  throw signal.reason
}

/** The timer of one start; told progress restarts it where the queue says so. */
export function createTimer ({ timeoutMs, isIdleTimeout }: RunPolicy, onTimeout: () => void) {
  const timer = setTimeout(onTimeout, timeoutMs)
  return {
    onAlive () { if (isIdleTimeout) timer.refresh() },
    stop () { clearTimeout(timer) }
  }
}
