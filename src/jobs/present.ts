import type { NeedView, RunState } from '../kernel/index.ts'
import type { Operation } from '../kernel/schemas.ts'
import type { LimitHold } from './limits.ts'
import { redact } from './redact.ts'
import type { ListedRun } from './repository.ts'
import type { Attempt, RunRow } from './run.ts'
import type { RunDetail, RunOut } from './schemas.ts'

const stateOf: Record<RunState, Operation['state']> = {
  blocked: 'pending',
  pending: 'pending',
  published: 'pending',
  running: 'running',
  done: 'succeeded',
  dead: 'failed',
  cancelled: 'cancelled',
  expired: 'failed',
  skipped: 'cancelled'
}

export function operationState (state: RunState): Operation['state'] {
  return stateOf[state]
}

/** When it last changed: a start and an end have a time of their own, and no second one is written with it. */
function changedAt ({ createdAt, updatedAt, startedAt, endedAt }: RunRow): Date {
  const times = [updatedAt, startedAt, endedAt].filter((at) => at !== undefined)
  return times.reduce((last, at) => at > last ? at : last, createdAt)
}

/** The owner's face of a run (`conventions.md`). */
export function toOperation (run: RunRow): Operation {
  const { _id, name, state, progress, error, createdAt, expireAt } = run
  return {
    id: _id,
    type: name,
    state: stateOf[state],
    ...(progress === undefined ? {} : { progress }),
    ...(error === undefined ? {} : { problem: { code: error.code, title: error.message } }),
    createdAt: createdAt.toISOString(),
    updatedAt: changedAt(run).toISOString(),
    expiresAt: expireAt?.toISOString() ?? null
  }
}

/** The operator's face of a run; the store leaves out of a list what only one run shows. */
export function presentRun (run: Omit<ListedRun, 'data'>): RunOut {
  const { _id, workspaceId, name, v, queue, lane, state, heldBy, attempt, starts, progress, error, cause } = run
  const { batchId, workflowId, createdAt, runAt, startedAt, endedAt } = run
  return {
    id: _id, workspaceId, name, version: v, queue, lane, state, attempt, starts,
    createdAt: createdAt.toISOString(),
    runAt: runAt.toISOString(),
    cause: cause === undefined ? null : { kind: cause.kind, id: cause.id },
    ...present({ progress, error, batchId, workflowId }),
    ...(heldBy === null ? {} : { heldBy }),
    ...(startedAt === undefined ? {} : { startedAt: startedAt.toISOString() }),
    ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() })
  }
}

/** One run with its attempts and needs; what its job hides is left out of the data. */
export function presentRunDetail (
  run: ListedRun,
  { hides = [], needs, limit }: {
    hides?: readonly string[] | undefined, needs: readonly NeedView[], limit?: LimitHold | undefined
  }
): RunDetail {
  const { data, result, attempts, crashes, key, serial, target, deadlineAt, cancel, replayOf, replays, isReplay } = run
  const { waiting } = run
  return {
    ...presentRun(run),
    ...(limit === undefined ? {} : { heldBy: limit }),
    data: redact(data, hides),
    attempts: attempts.map(presentAttempt),
    crashes,
    ...present({ result, key, serial, target, replayOf, replays, isReplay, waiting }),
    ...(needs.length === 0 ? {} : { needs: [...needs] }),
    ...(deadlineAt === undefined ? {} : { deadlineAt: deadlineAt.toISOString() }),
    ...(cancel === undefined ? {} : { cancel: { ...cancel, at: cancel.at.toISOString() } })
  }
}

export function presentAttempt ({ startedAt, endedAt, ...rest }: Attempt) {
  return { ...rest, startedAt: startedAt.toISOString(), endedAt: endedAt.toISOString() }
}

/** The members that are there. */
export function present<T extends object> (members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
