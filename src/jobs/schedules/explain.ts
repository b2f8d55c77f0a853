import type { Occurrence } from '../../kernel/index.ts'
import type { ScheduleRow, Verdict } from './row.ts'
import { isOneByOne, judgeSlot, type Judgement, type Obstacles } from './rules.ts'

export interface ExplainedSlot extends Occurrence {
  verdict: Verdict
  reasons: string[]
  /** Null: nothing starts, or nobody knows when. */
  expectedStartAt: Date | null
}

export interface ExplainInput {
  schedule: ScheduleRow
  slots: readonly Occurrence[]
  /** Runs that have not ended, the oldest first; null: not started yet. */
  live: ReadonlyArray<{ startedAt: Date | null }>
  /** How long a run is expected to take. */
  runMs: number
  nowMs: number
  obstacles: Obstacles
}

/** What the coming slots will do, by the same judgement as the ticker's. Pure. */
export function explainSlots ({ schedule, slots, live, runMs, nowMs, obstacles }: ExplainInput): ExplainedSlot[] {
  let ends = endsOfLive(schedule, live, runMs, nowMs)
  return slots.map((slot) => {
    if (!schedule.isEnabled) return { ...slot, verdict: 'skip', reasons: ['paused'], expectedStartAt: null }
    const atMs = slot.at.getTime()
    ends = ends.filter((endMs) => endMs > atMs)
    const judgement = judgeSlot(schedule, slot.at, ends.length, obstacles)
    const { verdict, reasons } = judgement
    if (verdict === 'skip') return { ...slot, verdict, reasons, expectedStartAt: null }
    if (judgement.cancelsOthers) ends = []
    const startMs = startOf(judgement, atMs, verdict === 'buffer' ? Math.max(...ends) : atMs)
    ends.push((startMs ?? (judgement.obstacle?.isPassing === true ? atMs : Infinity)) + runMs)
    return { ...slot, verdict, reasons, expectedStartAt: startMs === null ? null : new Date(startMs) }
  })
}

/** Null where something stands in the way and nobody says for how long. */
function startOf ({ obstacle }: Judgement, atMs: number, freeMs: number): number | null {
  const startMs = Math.max(atMs, freeMs, obstacle === undefined ? 0 : obstacle.until?.getTime() ?? Infinity)
  return Number.isFinite(startMs) ? startMs : null
}

function endsOfLive (
  { overlap }: ScheduleRow, live: ExplainInput['live'], runMs: number, nowMs: number
): number[] {
  const ends: number[] = []
  for (const { startedAt } of live) {
    const before = isOneByOne(overlap) ? ends.at(-1) ?? nowMs : nowMs
    // A run that takes longer than expected ends at any moment.
    ends.push(startedAt === null ? before + runMs : Math.max(nowMs + 1, startedAt.getTime() + runMs))
  }
  return ends
}
