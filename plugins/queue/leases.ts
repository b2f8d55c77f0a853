import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseRepository } from '../../src/jobs/index.ts'
import type { LeaseTurn, Leases, Log, ProcessId } from '../../src/kernel/index.ts'

const renewMs = 3000
const lookMs = 1000
/** Two seconds before the ten of a lease are over. */
const safeMs = 8000

interface Parts {
  leases: LeaseRepository
  /** Id of this app. */
  by: string
  holder: ProcessId
  isGone: (process: ProcessId) => boolean
  log: Log
}

type Loop = (turn: LeaseTurn) => Promise<void>

/** Competes for leases from `start` on, until `close`. */
export function createLeases ({ leases, by, holder, isGone, log }: Parts) {
  const closing = new AbortController()
  const started = Promise.withResolvers<void>()
  const loops = new Set<Promise<void>>()

  async function compete (name: string, loop: Loop): Promise<void> {
    await started.promise
    while (!closing.signal.aborted) {
      const fence = await tryTake(name)
      if (fence !== null) await hold(name, fence, loop)
      await sleep(lookMs, undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  async function tryTake (name: string): Promise<number | null> {
    try {
      const state = await leases.read(name)
      if (state === undefined) await leases.ensure(name)
      // The holder was on this host and is not there any more: no need to wait for its lease to run out.
      else if (state.holder !== null && state.by !== null && isGone(state.holder)) {
        return await leases.take(name, { holder, by, fromFence: state.fence })
      }
      return await leases.take(name, { holder, by })
    } catch (err) {
      if (!closing.signal.aborted) log.warn({ err, lease: name }, 'a lease could not be asked for')
      return null
    }
  }

  async function hold (name: string, fence: number, loop: Loop): Promise<void> {
    const lost = new AbortController()
    const renewing = renew(name, fence, lost)
    const signal = AbortSignal.any([lost.signal, closing.signal])
    try {
      await loop({ fence, signal })
    } catch (err) {
      if (!signal.aborted) log.error({ err, lease: name }, 'the loop of a lease failed and starts again')
    } finally {
      lost.abort()
      await renewing
      await leases.giveBack(name, by, fence).catch((err: unknown) => {
        log.warn({ err, lease: name }, 'a lease could not be given back and runs out by itself')
      })
    }
  }

  /** Aborts `lost` when the lease may lapse before it was renewed. */
  async function renew (name: string, fence: number, lost: AbortController): Promise<void> {
    let sureUntilMs = performance.now() + safeMs
    while (!lost.signal.aborted) {
      await sleep(renewMs, undefined, { signal: lost.signal }).catch(() => undefined)
      if (lost.signal.aborted) return
      const sentMs = performance.now()
      const deadline = setTimeout(() => { lost.abort() }, Math.max(0, sureUntilMs - sentMs))
      const isOurs = await leases.renew(name, by, fence).catch(() => undefined)
      clearTimeout(deadline)
      if (isOurs === true) sureUntilMs = sentMs + safeMs
      else if (isOurs === false || performance.now() >= sureUntilMs) lost.abort()
    }
  }

  return {
    port: {
      hold (name, loop) {
        const running = compete(name, loop).finally(() => { loops.delete(running) })
        loops.add(running)
      },
      async holder (name) {
        const state = await leases.read(name)
        if (state?.holder == null || state.by === null) return null
        return { holder: state.holder, fence: state.fence, until: state.until }
      }
    } satisfies Leases,
    start () { started.resolve() },
    async close () {
      closing.abort()
      started.resolve()
      await Promise.allSettled(loops)
    }
  }
}
