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
}

export function createWatch (limits: Limits, outer?: AbortSignal): Watch {
  const controller = new AbortController()
  const fail = (error: Error) => { controller.abort(error) }
  const passOn = () => { controller.abort(outer?.reason) }
  let timer: NodeJS.Timeout | undefined
  let isIdle = false
  let askedAt = 0
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
    end () {
      clearTimeout(timer)
      clearTimeout(total)
      outer?.removeEventListener('abort', passOn)
    }
  }
}
