import { hash } from 'node:crypto'
import type { Occurrence, Overlap, Recurrence, SchedulePolicy } from '../../kernel/index.ts'
import type { ScheduleRow, Verdict } from './row.ts'

const minuteMs = 60_000
/** A slot that is settled later than this is a misfire. */
export const lateMs = minuteMs
const mostBuffered = 100
const weekMs = 7 * 86_400_000
const mostSmearMs = 5 * minuteMs

/** What keeps a run from starting although its slot fires: a blackout window, a resource that is taken. */
export interface Obstacle {
  verdict: 'wait' | 'blackout'
  reason: string
  until: Date | null
  /** It goes away by itself, nobody knows when; slots that come later need not mind it. */
  isPassing?: boolean
}

/** Judges the resources of a schedule at a slot; undefined: the run may start. */
export type Obstacles = (slot: { at: Date, resources: readonly string[], rank: number }) => Obstacle | undefined

export const noObstacles: Obstacles = () => undefined

export interface Judgement {
  verdict: Verdict
  reasons: string[]
  /** The runs before it are cancelled. */
  cancelsOthers: boolean
  obstacle: Obstacle | undefined
}

/** What becomes of one slot while `live` runs of its schedule have not ended. The ticker and `explain` ask here. */
export function judgeSlot (
  schedule: Pick<SchedulePolicy, 'overlap' | 'resources' | 'rank'>, at: Date, live: number, obstacles: Obstacles
): Judgement {
  const { verdict, reasons, cancelsOthers } = judgeOverlap(schedule.overlap, live)
  const obstacle = verdict === 'skip'
    ? undefined
    : obstacles({ at, resources: schedule.resources, rank: schedule.rank })
  return {
    verdict: verdict === 'fire' && obstacle !== undefined ? obstacle.verdict : verdict,
    reasons: obstacle === undefined ? reasons : [...reasons, obstacle.reason],
    cancelsOthers,
    obstacle
  }
}

function judgeOverlap (
  overlap: Overlap, live: number
): { verdict: 'fire' | 'skip' | 'buffer', reasons: string[], cancelsOthers: boolean } {
  const say = (verdict: 'fire' | 'skip' | 'buffer', ...reasons: string[]) =>
    ({ verdict, reasons, cancelsOthers: false })
  if (live === 0) return say('fire')
  switch (overlap) {
    case 'allow_all': return say('fire', 'runs_beside_others')
    case 'cancel_other': return { ...say('fire', 'cancels_the_run_before'), cancelsOthers: true }
    case 'skip': return say('skip', 'run_before_is_live')
    case 'buffer_one': return live === 1 ? say('buffer', 'run_before_is_live') : say('skip', 'one_is_buffered')
    case 'buffer_all':
      return live <= mostBuffered ? say('buffer', 'run_before_is_live') : say('skip', 'buffer_is_full')
  }
}

/** Whether runs of a schedule go one after the other. */
export function isOneByOne (overlap: Overlap): boolean {
  return overlap === 'buffer_one' || overlap === 'buffer_all' || overlap === 'cancel_other'
}

export interface DueSlot extends Occurrence { lateMs: number, missed: string | null }

/**
 * Which due slots still count. `slots` are in order; `isComplete`: none is due after them. A slot within 60 s always
 * counts; of the later ones none, the last of all, or those within the time to catch up.
 */
export function judgeLateness (
  slots: readonly Occurrence[], { misfire, catchUpMs, nowMs, isComplete }: {
    misfire: SchedulePolicy['misfire'], catchUpMs: number, nowMs: number, isComplete: boolean
  }
): DueSlot[] {
  return slots.map((slot, i) => {
    const late = nowMs - slot.at.getTime()
    const isLast = isComplete && i === slots.length - 1
    return { ...slot, lateMs: late, missed: late <= lateMs ? null : whyMissed() }

    function whyMissed (): string | null {
      if (misfire === 'none') return 'late'
      if (misfire === 'last') return isLast ? null : 'not_the_last'
      return late <= catchUpMs ? null : 'too_late_to_catch_up'
    }
  })
}

/** How late a slot may be where nothing else is said: one interval, at least a minute, at most a week. */
export function catchUpOf (said: number | null, intervalMs: number): number {
  return Math.min(weekMs, Math.max(minuteMs, said ?? intervalMs))
}

type Smeared = Pick<ScheduleRow, '_id' | 'spec' | 'zone' | 'smear'>

/** Slots of a schedule: what its rule says, shifted where it is smeared. */
export function createSlots (recurrence: Recurrence) {
  function * after (schedule: Smeared, fromMs: number): Generator<Occurrence> {
    const reachMs = schedule.smear ? mostSmearMs : 0
    let one = recurrence.next(schedule, new Date(fromMs - reachMs))
    while (one !== undefined) {
      const following = recurrence.next(schedule, one.at)
      const slot = schedule.smear ? shifted(schedule._id, one, following) : one
      if (slot.at.getTime() > fromMs) yield slot
      one = following
    }
  }

  return {
    between (schedule: Smeared, { after: from, until, limit }: { after: Date, until: Date, limit: number }) {
      if (!schedule.smear) return recurrence.between(schedule, { after: from, until, limit })
      const found: Occurrence[] = []
      for (const slot of after(schedule, from.getTime())) {
        if (slot.at > until || found.length >= limit) break
        found.push(slot)
      }
      return found
    },

    next (schedule: Smeared, from: Date): Occurrence | undefined {
      if (!schedule.smear) return recurrence.next(schedule, from)
      return after(schedule, from.getTime()).next().value as Occurrence | undefined
    }
  }
}

export type Slots = ReturnType<typeof createSlots>

function shifted (id: string, one: Occurrence, following: Occurrence | undefined): Occurrence {
  const intervalMs = following === undefined ? 0 : following.at.getTime() - one.at.getTime()
  return { ...one, at: new Date(one.at.getTime() + smearMs(id, intervalMs)) }
}

/** A stable share of a tenth of the interval, at most five minutes. */
export function smearMs (id: string, intervalMs: number): number {
  const share = Number.parseInt(hash('sha256', id, 'hex').slice(0, 12), 16) / 2 ** 48
  return Math.floor(share * Math.min(intervalMs / 10, mostSmearMs))
}
