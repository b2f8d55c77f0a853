import type { Limits } from '../../src/fetch/index.ts'
import { FetchError } from '../../src/fetch/index.ts'

/** What undici needs of an AbortSignal, at a fraction of its price: only `abort` is ever listened to. */
export interface Stop {
  aborted: boolean
  reason: Error | undefined
  addEventListener (type: 'abort', listener: () => void): void
  removeEventListener (type: 'abort', listener: () => void): void
}

/** The clocks of one request; whatever they find aborts it with its own error. */
export interface Watch {
  signal: Stop
  throwIfAborted (): void
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
  const listeners: Array<() => void> = []
  const stop: Stop = {
    aborted: false,
    reason: undefined,
    addEventListener (_type, listener) { listeners.push(listener) },
    removeEventListener (_type, listener) {
      const at = listeners.indexOf(listener)
      if (at !== -1) listeners.splice(at, 1)
    }
  }
  const beganAt = performance.now()
  let endedAt: number | undefined
  let isIdle = false
  let askedAt = 0
  let waitedMs = 0
  let bytes = 0

  function fail (error: Error): void {
    if (stop.aborted) return
    stop.aborted = true
    stop.reason = error
    running.delete(clocks)
    for (const listener of [...listeners]) listener()
  }

  const clocks: Clocks = { dueAt: Infinity, endsAt: beganAt + limits.totalMs, fail }
  const passOn = () => { fail(outer?.reason as Error) }
  if (outer?.aborted === true) passOn()
  else {
    start(clocks)
    outer?.addEventListener('abort', passOn, { once: true })
  }

  return {
    signal: stop,
    throwIfAborted () { if (stop.aborted) throw stop.reason as Error },
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
    race: async (work) => await orAborted(work, stop),
    elapsedMs: () => (endedAt ?? performance.now()) - beganAt,
    end () {
      endedAt ??= performance.now()
      running.delete(clocks)
      outer?.removeEventListener('abort', passOn)
    }
  }
}

async function orAborted<T> (work: Promise<T>, stop: Stop): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const leave = () => { reject(stop.reason) }
  if (stop.aborted) leave()
  else stop.addEventListener('abort', leave)
  try {
    return await Promise.race([work, promise])
  } finally {
    stop.removeEventListener('abort', leave)
  }
}
