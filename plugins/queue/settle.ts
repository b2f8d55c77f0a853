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
    const result = await handledOrGivenUp(waiting, withContext(context, work))
    // What nobody wants any more did not succeed, whatever its handler made of the signal.
    return isCancelled(signal) ? { error: signal.reason } : { result }
  } catch (error) {
    return { error: signal.reason instanceof RunAborted ? signal.reason : error }
  }
}

function isCancelled ({ reason }: AbortSignal): boolean {
  return reason instanceof RunAborted && reason.reason === 'cancelled'
}

/** What the handler says, or the end of the wait for one that ignores its signal: the fence stops its late writes. */
async function handledOrGivenUp (
  { context: { signal }, giveUpMs, onIgnored }: Waiting, handled: Promise<unknown>
): Promise<unknown> {
  return await new Promise((resolve, reject: (reason: unknown) => void) => {
    let timer: NodeJS.Timeout | undefined
    function giveUp (): void {
      if (signal.reason instanceof RunAborted) onIgnored(signal.reason.reason)
      reject(signal.reason)
    }
    function onAbort (): void { timer = setTimeout(giveUp, giveUpMs) }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    handled.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    })
  })
}

/** The timer of one start; told progress restarts it where the queue says so. */
export function createTimer ({ timeoutMs, isIdleTimeout }: RunPolicy, onTimeout: () => void) {
  const timer = setTimeout(onTimeout, timeoutMs)
  return {
    onAlive () { if (isIdleTimeout) timer.refresh() },
    stop () { clearTimeout(timer) }
  }
}
