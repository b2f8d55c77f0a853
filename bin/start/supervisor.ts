import { setTimeout as sleep } from 'node:timers/promises'
import type { Say } from '../services/program.ts'
import { markOf, type ProcessMark } from '../services/processes.ts'
import type { Part, Run } from './part.ts'

export interface SupervisorOptions {
  say: Say
  /** Hears every change of what runs, to write it down. */
  onChange?: (parts: ProcessMark[]) => void
}

interface Kept {
  part: Part
  pid: number | undefined
  run: Run | undefined
  isWanted: boolean
  loop: Promise<void>
  wake: AbortController
}

export type Supervisor = ReturnType<typeof createSupervisor>

const mostFailures = 3

/** Keeps parts running: what ends is started again after 1 s x 2^n, n = its starts in a row that never became ready. */
export function createSupervisor ({ say, onChange = () => {} }: SupervisorOptions) {
  const kept = new Map<string, Kept>()
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => {})

  function changed (): void {
    const running = [...kept.values()].filter(({ pid }) => pid !== undefined)
    onChange(running.map(({ part, pid }) => markOf(part.name, pid ?? 0)))
  }

  function setPid (one: Kept, pid: number | undefined): void {
    one.pid = pid
    changed()
  }

  async function keep (one: Kept, onFirst: () => void): Promise<void> {
    let failures = 0
    let everReady = false
    while (one.isWanted) {
      const { why, wasReady } = await runOnce(one, onFirst)
      if (!one.isWanted) return
      everReady ||= wasReady
      failures = wasReady ? 0 : failures + 1
      // A process that never worked waits for a person; one that did may wait for something that comes back.
      if (failures >= mostFailures && (one.part.kind === 'store' || !everReady)) {
        fail(new Error(`${why} It did not start ${mostFailures} times in a row, so everything stops.`))
        return
      }
      const waitMs = Math.min(30_000, 1000 * 2 ** failures)
      say(`${why} Starting it again in ${waitMs / 1000} s.`)
      await sleep(waitMs, undefined, { signal: one.wake.signal }).catch(() => {})
    }
  }

  async function runOnce (one: Kept, onReady: () => void): Promise<{ why: string, wasReady: boolean }> {
    try {
      const run = await one.part.start((pid) => { setPid(one, pid) })
      one.run = run
      onReady()
      if (!one.isWanted) await run.stop()
      return { why: await run.ended, wasReady: true }
    } catch (error) {
      return { why: (error as Error).message, wasReady: false }
    } finally {
      one.run = undefined
      setPid(one, undefined)
    }
  }

  /** A part that is still starting has no run yet: a signal ends it, and with it its loop. */
  async function end (one: Kept): Promise<void> {
    one.isWanted = false
    one.wake.abort()
    if (one.run !== undefined) await one.run.stop()
    else if (one.pid !== undefined) process.kill(one.pid, 'SIGTERM')
    await one.loop
    kept.delete(one.part.name)
  }

  return {
    /** Rejects when a store gave up. */
    failed,

    /** Keeps a part running; resolves when it did its work for the first time, rejects when it or a store gave up. */
    async add (part: Part): Promise<void> {
      const first = Promise.withResolvers<void>()
      const one: Kept = {
        part, pid: undefined, run: undefined, isWanted: true, loop: Promise.resolve(), wake: new AbortController()
      }
      kept.set(part.name, one)
      one.loop = keep(one, first.resolve)
      await Promise.race([first.promise, failed])
    },

    /** Sends a signal to the part itself, as a crash would: it comes back by itself. */
    kill (name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
      const pid = kept.get(name)?.pid
      if (pid === undefined) throw new Error(`${name} does not run.`)
      process.kill(pid, signal)
    },

    pidOf (name: string): number | undefined { return kept.get(name)?.pid },

    /** Ends a run in good order; the part is started again. */
    async restart (name: string): Promise<void> { await kept.get(name)?.run?.stop() },

    /** Stops the named parts together, for good. Parts that do not run are passed over. */
    async stop (names: readonly string[]): Promise<void> {
      await Promise.all(names.map(async (name) => {
        const one = kept.get(name)
        if (one !== undefined) await end(one)
      }))
      changed()
    },

    names (kind: Part['kind']): string[] {
      return [...kept.values()].filter(({ part }) => part.kind === kind).map(({ part }) => part.name)
    }
  }
}
