import type { JobDefinition, RunState } from '../../kernel/index.ts'
import type { ExplainedSlot } from './explain.ts'
import type { ScheduleRow, SlotRow } from './row.ts'
import type { Explanation, ScheduleSlotView, ScheduleView } from './schemas.ts'

/** A schedule as operators see it: what its job hides is hidden here too. */
export function presentSchedule (row: ScheduleRow, job: JobDefinition | undefined): ScheduleView {
  const {
    _id: id, name, job: jobName, data, spec, zone, overlap, misfire, catchUpMs, resources, lane, rank, smear,
    pauseAfter, isEnabled, declared, override, isRetired, pausedFor, failures, lastSlotAt, nextSlotAt, rev,
    createdAt, updatedAt
  } = row
  return {
    id,
    name,
    job: jobName,
    data: redacted(data, job?.redact ?? []),
    spec: { ...spec },
    zone,
    overlap,
    misfire,
    catchUpMs,
    resources: [...resources],
    lane,
    rank,
    smear,
    pauseAfter,
    isEnabled,
    isDeclared: declared !== null,
    isRetired,
    overridden: declared === null ? [] : Object.keys(override),
    pausedFor,
    failures,
    lastSlotAt: lastSlotAt.toISOString(),
    nextSlotAt: isEnabled ? nextSlotAt?.toISOString() ?? null : null,
    version: rev,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString()
  }
}

export function presentSlot (slot: SlotRow & { runState: RunState | null }): ScheduleSlotView {
  const { slotAt, wall, dst, outcome, reasons, runId, runState, lateMs, by, decidedAt } = slot
  return {
    slotAt: slotAt.toISOString(), wall, dst, outcome, reasons, runId, runState, lateMs, by,
    decidedAt: decidedAt.toISOString()
  }
}

export function presentExplanation (runMs: number, slots: readonly ExplainedSlot[]): Explanation {
  return {
    expectedRunMs: runMs,
    slots: slots.map(({ at, wall, dst, verdict, reasons, expectedStartAt }) => ({
      slotAt: at.toISOString(), wall, dst, verdict, reasons, expectedStartAt: expectedStartAt?.toISOString() ?? null
    }))
  }
}

/** A copy with a mark in place of what the pointers name. */
function redacted (data: unknown, pointers: readonly string[]): unknown {
  if (pointers.length === 0) return data
  const copy = structuredClone(data)
  for (const pointer of pointers) hide(copy, pointer.split('/').slice(1))
  return copy
}

function hide (value: unknown, [name, ...rest]: string[]): void {
  if (typeof value !== 'object' || value === null || name === undefined || !Object.hasOwn(value, name)) return
  const members = value as Record<string, unknown>
  if (rest.length === 0) members[name] = '[redacted]'
  else hide(members[name], rest)
}
