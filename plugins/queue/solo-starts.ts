import { RunAborted, type Poisoned, type Quarantine, type RunRow } from '../../src/jobs/index.ts'
import type { Clock } from '../../src/kernel/index.ts'
import type { Bound } from './execute.ts'
import type { Ended, Outcomes, Started } from './outcomes.ts'
import type { Solo } from './solo.ts'

/** After its own timeout and the wait for a handler that ignores it, a child has this long to say so. */
const lateMs = 5000

interface Parts {
  solo: Solo
  quarantine: Quarantine
  clock: Clock
  giveUpMs: number
  /** Ends what the dead child left open in the store. */
  killDead: () => Promise<unknown>
  onSolo: () => void
  /** A run killed its child. */
  onPoison: (poisoned: Poisoned) => void
}

/** Which starts are solo, and what becomes of them: only the death of the child makes a run poison. */
export function createSoloStarts ({ solo, quarantine, clock, giveUpMs, killDead, onSolo, onPoison }: Parts) {
  async function work (started: Started, signal: AbortSignal, bound: Bound, outcomes: Outcomes): Promise<Ended> {
    const { run, key } = started
    const { timeoutMs, isIdleTimeout } = bound.policy
    // A download may go on for hours as long as it gets on: then only its event loop is watched.
    const limitMs = isIdleTimeout ? Infinity : timeoutMs + giveUpMs + lateMs
    const end = await solo.run({ key, signal, timeoutMs: limitMs })
    if (end.kind === 'ended') {
      // What was told to stop has proved nothing.
      if (end.ended.cause !== 'shutdown') quarantine.survived(run.name, clock.ms())
      return end.ended
    }
    if (end.kind === 'absent') {
      const message = `its process of its own did not start: ${end.reason}`
      return await outcomes.again(started, 5000, { cause: 'not_ready', code: 'no_solo', message })
    }
    await killDead()
    const poisoned = { name: run.name, dataHash: run.dataHash, failedAt: clock.now() }
    quarantine.add(poisoned)
    onPoison(poisoned)
    return await outcomes.bury(started, {
      cause: 'poison', code: end.code, message: `it killed the process that worked on it alone: ${end.code}`
    })
  }

  return {
    needs: (run: RunRow): boolean => quarantine.needsSolo(run),

    async start (started: Started, signal: AbortSignal, bound: Bound, outcomes: Outcomes): Promise<Ended> {
      onSolo()
      try {
        return await work(started, signal, bound, outcomes)
      } catch (error) {
        // Not begun yet when the worker was told to stop.
        if (error instanceof RunAborted) return await outcomes.fail(started, error, false)
        throw error
      }
    }
  }
}

export type SoloStarts = ReturnType<typeof createSoloStarts>
