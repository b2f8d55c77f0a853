import type { Occurrence } from '../../kernel/index.ts'
import type { ScheduleRow, SlotRow } from './row.ts'
import { catchUpOf, judgeLateness, judgeSlot, type DueSlot, type Obstacles, type Slots } from './rules.ts'

/** So many slots of a schedule are settled in one transaction. */
const page = 1000
/** Older slots are not told one by one. */
const horizonMs = 7 * 86_400_000

export interface SettledSlot extends Occurrence {
  outcome: SlotRow['outcome']
  reasons: string[]
  lateMs: number
  hasRun: boolean
}

export interface Settlement {
  schedule: ScheduleRow
  slots: SettledSlot[]
  cancelsOthers: boolean
  lastSlotAt: Date
  nextSlotAt: Date | null
}

/** What a schedule does about everything that is due, while `live` of its runs have not ended. Pure. */
export function settle (
  schedule: ScheduleRow, { live, now, slots, obstacles }: {
    live: number, now: Date, slots: Slots, obstacles: Obstacles
  }
): Settlement {
  const due = dueSlots(schedule, now, slots)
  const isComplete = due.length < page
  const nowMs = now.getTime()
  const judged = judgeLateness(due, {
    misfire: schedule.misfire, catchUpMs: catchUp(schedule, due, slots), nowMs, isComplete
  })
  const settled = judgeAll(schedule, judged, live, obstacles)
  const lastSlotAt = isComplete ? now : (due.at(-1) as Occurrence).at
  return {
    schedule,
    slots: settled.slots,
    cancelsOthers: settled.cancelsOthers,
    lastSlotAt,
    nextSlotAt: slots.next(schedule, lastSlotAt)?.at ?? null
  }
}

/** The slots of the last week; where there is none, those before. */
function dueSlots (schedule: ScheduleRow, now: Date, slots: Slots): Occurrence[] {
  const { lastSlotAt } = schedule
  const recent = new Date(Math.max(lastSlotAt.getTime(), now.getTime() - horizonMs))
  const due = slots.between(schedule, { after: recent, until: now, limit: page })
  return due.length > 0 || recent <= lastSlotAt
    ? due
    : slots.between(schedule, { after: lastSlotAt, until: now, limit: page })
}

function catchUp (schedule: ScheduleRow, due: readonly Occurrence[], slots: Slots): number {
  const last = due.at(-1)
  if (schedule.catchUpMs !== null || last === undefined) return catchUpOf(schedule.catchUpMs, 0)
  const following = slots.next(schedule, last.at)
  return catchUpOf(null, following === undefined ? Infinity : following.at.getTime() - last.at.getTime())
}

/** One after the other: the run of a slot stands in the way of the next one. */
export function judgeAll (
  schedule: ScheduleRow, due: readonly DueSlot[], live: number, obstacles: Obstacles
): { slots: SettledSlot[], cancelsOthers: boolean } {
  const lastToFire = due.findLastIndex(({ missed }) => missed === null)
  let standing = live
  let cancelsOthers = false
  const slots = due.map((slot, i): SettledSlot => {
    const { missed } = slot
    if (missed !== null) return { ...slot, outcome: 'missed', reasons: [missed], hasRun: false }
    if (schedule.overlap === 'cancel_other' && i !== lastToFire) {
      return { ...slot, outcome: 'skip', reasons: ['cancelled_by_the_next'], hasRun: false }
    }
    const judgement = judgeSlot(schedule, slot.at, standing, obstacles)
    const hasRun = judgement.verdict !== 'skip'
    if (judgement.cancelsOthers) standing = 0
    cancelsOthers ||= judgement.cancelsOthers
    if (hasRun) standing++
    return { ...slot, outcome: judgement.verdict, reasons: judgement.reasons, hasRun }
  })
  return { slots, cancelsOthers }
}
