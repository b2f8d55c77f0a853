import type { Log } from '../../src/kernel/index.ts'
import type { Starts } from './claims.ts'
import type { Executor } from './execute.ts'
import { openGate } from './gate.ts'

/** So many places make room for one run beyond them; a queue of a few has none. */
const placesEach = 8

interface Parts {
  starts: Starts
  executor: Executor
  places: () => number
  /** Whether runs are taken, and places do not become free all the time. */
  isOpen: () => boolean
  log: Log
}

/** Runs of newcomers that start although others have all places. They have no delivery: theirs finds them taken. */
export function createBeyond ({ starts, executor, places, isOpen, log }: Parts) {
  const atWork = new Set<Promise<void>>()

  async function run (id: string, release: number): Promise<void> {
    try {
      const claimed = await starts.claim(id, release, false)
      if (claimed === undefined) return
      const lost = new AbortController().signal
      await executor.execute(claimed, { lost, gate: openGate, onHandled: () => undefined })
    } catch (err) {
      log.warn({ err, run: id }, 'a run beyond the places failed')
    }
  }

  return {
    /** Whether it starts here. */
    start (id: string, release: number): boolean {
      if (!isOpen() || atWork.size >= Math.floor(places() / placesEach)) return false
      const running = run(id, release).finally(() => { atWork.delete(running) })
      atWork.add(running)
      return true
    },
    async settled (): Promise<void> { await Promise.all(atWork) }
  }
}
