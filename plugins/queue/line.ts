import type { Redis } from 'ioredis'

/** With these a run goes back because only another worker can do it: this one is older, or bound other names. */
const forOthers: ReadonlySet<string> = new Set(['no_handler', 'newer_version'])
/** When the others wait again, and before the run that went back comes again. */
const afterMs = 500

/**
 * Lets another worker be first. Redis wakes two of those that wait for each run, in the order of their waiting: one
 * gets it, the other waits again, behind the first where that is quicker, and a run that only the slower one knows
 * would come here every time. A wake in vain moves the line on by one; by chance, since no rule is right for all lines.
 */
export function createLine (connection: Redis, bullQueue: string) {
  let isMoving = false
  return {
    gaveBack (code: string): void {
      if (!forOthers.has(code) || isMoving || Math.random() < 0.5) return
      isMoving = true
      setTimeout(() => {
        isMoving = false
        connection.zadd(`${bullQueue}:marker`, 0, '0').catch(() => undefined)
      }, afterMs).unref()
    }
  }
}
