import type { Limits } from '../../src/fetch/index.ts'
import { FetchError } from '../../src/fetch/index.ts'

/** The clocks of one request; whatever they find aborts it with its own error. */
export interface Watch {
  signal: AbortSignal
  /** Starts the wait for a first byte of an answer. */
  await (): void
  /** The first byte is here: from now on the idle time counts. */
  begin (): void
  /** Bytes came. */
  touch (bytes: number): void
  /** While the consumer works, nobody waits for the host. */
  pause (): void
  resume (): void
  end (): void
  /** The promise, or the error of the clock that ran out first. */
  race<T> (work: Promise<T>): Promise<T>
  /** Since the watch began, until it ended. */
  elapsedMs (): number
}

export function createWatch (limits: Limits, outer?: AbortSignal): Watch {
  const controller = new AbortController()
  const fail = (error: Error) => { controller.abort(error) }
  const passOn = () => { controller.abort(outer?.reason) }
  let timer: NodeJS.Timeout | undefined
  let isIdle = false
  let askedAt = 0
  const beganAt = performance.now()
  let endedAt: number | undefined
  let waitedMs = 0
  let bytes = 0
  const total = Number.isFinite(limits.totalMs)
    ? setTimeout(() => { fail(FetchError.timeout()) }, limits.totalMs)
    : undefined
  if (outer?.aborted === true) passOn()
  else outer?.addEventListener('abort', passOn, { once: true })

  function set (ms: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => { fail(FetchError.timeout()) }, ms)
  }

  return {
    signal: controller.signal,
    await () { set(limits.firstByteMs) },
    begin () {
      isIdle = true
      set(limits.idleMs)
    },
    touch (count) {
      bytes += count
      waitedMs += performance.now() - askedAt
      if (waitedMs < limits.rate.windowMs) return
      if (bytes < limits.rate.bytes) fail(FetchError.too_slow())
      waitedMs = 0
      bytes = 0
    },
    pause () { clearTimeout(timer) },
    resume () {
      askedAt = performance.now()
      if (isIdle) set(limits.idleMs)
    },
    race: async (work) => await orAborted(work, controller.signal),
    elapsedMs: () => (endedAt ?? performance.now()) - beganAt,
    end () {
      endedAt ??= performance.now()
      clearTimeout(timer)
      clearTimeout(total)
      outer?.removeEventListener('abort', passOn)
    }
  }
}

async function orAborted<T> (work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => { reject(signal.reason as Error) }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
