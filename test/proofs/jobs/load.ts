// Work that comes at a steady pace, whatever becomes of it.
import { setTimeout as sleep } from 'node:timers/promises'

export interface Load {
  /** Calls that failed, by what they said. */
  failures: Map<string, number>
  /** Milliseconds of each call, in the order of their ends. */
  times: number[]
  /** When each of them began, in milliseconds since 1970. */
  beganMs: number[]
  calls (): number
  /** Begins nothing more and waits for what is under way. */
  stop (): Promise<void>
}

/** Calls so often a second, without waiting for the answers: a slow store does not thin the load out. */
export function startLoad (perSec: number, call: (nth: number) => Promise<void>): Load {
  const open = new Set<Promise<void>>()
  const failures = new Map<string, number>()
  const times: number[] = []
  const beganMs: number[] = []
  const sinceMs = performance.now()
  let begun = 0
  let isStopped = false

  async function one (nth: number): Promise<void> {
    const [startMs, atMs] = [performance.now(), Date.now()]
    try {
      await call(nth)
    } catch (error) {
      const { message } = error as Error
      failures.set(message, (failures.get(message) ?? 0) + 1)
    }
    times.push(performance.now() - startMs)
    beganMs.push(atMs)
  }

  const beginning = (async () => {
    while (!isStopped) {
      for (const due = (performance.now() - sinceMs) * perSec / 1000; begun < due;) {
        const call = one(begun++).finally(() => { open.delete(call) })
        open.add(call)
      }
      await sleep(1000 / perSec)
    }
  })()
  return {
    failures,
    times,
    beganMs,
    calls: () => begun,
    async stop () {
      isStopped = true
      await beginning
      await Promise.all(open)
    }
  }
}

/** Throws where a call of the load failed. */
export function noneFailed ({ failures }: Load): void {
  const [first] = failures
  if (first === undefined) return
  const all = [...failures.values()].reduce((sum, count) => sum + count, 0)
  throw new Error(`${all} calls failed: ${first[0]} (${first[1]} times)`)
}

/** What so many of a hundred are not above. */
export function percentile (values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0
}
