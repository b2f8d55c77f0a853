import { lanes, type Lane } from '../kernel/index.ts'

/** Priorities of BullMQ, the least first: of each lane who has little at work there, then the others. */
const priorities = [0, 1, 4, 5, 9, 10] as const
const last = priorities.length - 1
/** Of who has little at work, in a lane that does not wait gladly. */
const newcomers: ReadonlySet<number> = new Set([priorities[0], priorities[2]])
const mostCredit = 64

/** Whether a run of this priority may start where others have all places. */
export const mayGoBeyond = (priority: number): boolean => newcomers.has(priority)

/**
 * Who goes before whom of what waits in Redis. It takes the least priority as long as there is any, so that whoever is
 * behind would not start while others come; therefore each priority is given only as often as those behind it, and a
 * few times besides. Who finds theirs spent goes last.
 */
export function createPrecedence () {
  const credits = priorities.map(() => mostCredit)

  return {
    /** The priority of the next run. `window`: how many runs of the queue may be live. */
    next ({ lane, isFew, window }: { lane: Lane, isFew: boolean, window: number }): number {
      const most = Math.min(mostCredit, Math.ceil(window / 2))
      const creditOf = (level: number): number => level === last ? most : Math.min(most, credits[level] ?? 0)
      const own = 2 * lanes.indexOf(lane) + (isFew ? 0 : 1)
      const level = creditOf(own) < 1 ? last : own
      for (let before = 0; before < level; before++) credits[before] = Math.min(most, creditOf(before) + 1)
      credits[level] = creditOf(level) - 1
      return priorities[level] ?? 0
    }
  }
}

export type Precedence = ReturnType<typeof createPrecedence>
