import type { Limits } from '../../src/fetch/index.ts'
import { FetchError } from '../../src/fetch/index.ts'

/** What works for a request; told why when it must not go on. */
export interface Stoppable { stop (reason: Error): void }

/** The clocks of one request; whatever they find ends it with its own error. Nothing at work outlives them. */
export interface Watch {
  /** What ended the request before its time. */
  readonly reason: Error | undefined
  heed (one: Stoppable): void
  leave (one: Stoppable): void
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
  /** Who wants to know how long it was, at the end. */
  tell (timings: { totalMs: number }): void
}

/** Looked at together, so that a request sets no timer of its own. */
interface Clocks { dueAt: number, endsAt: number, fail: (error: Error) => void }

const lookMs = 50
const running = new Set<Clocks>()
let timer: NodeJS.Timeout | undefined

function look (): void {
  const now = performance.now()
  for (const clocks of running) {
    if (now >= clocks.dueAt || now >= clocks.endsAt) clocks.fail(FetchError.timeout())
  }
  if (running.size > 0) timer?.refresh()
  else timer = undefined
}

function start (clocks: Clocks): void {
  running.add(clocks)
  timer ??= setTimeout(look, lookMs)
}

export function createWatch (limits: Limits, outer?: AbortSignal): Watch {
  const heeded: Stoppable[] = []
  const beganAt = performance.now()
  let reason: Error | undefined
  let listener: { totalMs: number } | undefined
  let hasEnded = false
  let isIdle = false
  let askedAt = 0
  let waitedMs = 0
  let bytes = 0

  function fail (error: Error): void {
    if (reason !== undefined) return
    reason = error
    running.delete(clocks)
    for (const one of heeded.splice(0)) one.stop(error)
  }

  function heed (one: Stoppable): void {
    if (reason === undefined) heeded.push(one)
    else one.stop(reason)
  }

  function leave (one: Stoppable): void {
    const at = heeded.indexOf(one)
    if (at !== -1) heeded.splice(at, 1)
  }

  const clocks: Clocks = { dueAt: Infinity, endsAt: beganAt + limits.totalMs, fail }
  const passOn = () => { fail(toError(outer?.reason)) }
  if (outer?.aborted === true) passOn()
  else {
    start(clocks)
    outer?.addEventListener('abort', passOn, { once: true })
  }

  return {
    get reason () { return reason },
    heed,
    leave,
    await () { clocks.dueAt = performance.now() + limits.firstByteMs },
    begin () {
      isIdle = true
      clocks.dueAt = performance.now() + limits.idleMs
    },
    touch (count) {
      bytes += count
      waitedMs += performance.now() - askedAt
      if (waitedMs < limits.rate.windowMs) return
      if (bytes < limits.rate.bytes) fail(FetchError.too_slow())
      waitedMs = 0
      bytes = 0
    },
    pause () { clocks.dueAt = Infinity },
    resume () {
      askedAt = performance.now()
      if (isIdle) clocks.dueAt = askedAt + limits.idleMs
    },
    async race (work) {
      const { promise, reject } = Promise.withResolvers<never>()
      const waiter = { stop: reject }
      heed(waiter)
      try {
        return await Promise.race([work, promise])
      } finally {
        leave(waiter)
      }
    },
    tell (timings) { listener = timings },
    end () {
      if (hasEnded) return
      hasEnded = true
      running.delete(clocks)
      if (listener !== undefined) listener.totalMs = performance.now() - beganAt
      outer?.removeEventListener('abort', passOn)
      for (const one of heeded.splice(0)) one.stop(new Error('the request is over'))
    }
  }
}

/** What a caller aborts with should be an error, and need not be. */
function toError (reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}
