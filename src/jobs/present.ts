import type { RunState } from '../kernel/index.ts'
import type { Operation } from '../kernel/schemas.ts'
import type { RunRow } from './run.ts'

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

/** The owner's face of a run (`conventions.md`). */
export function toOperation (run: RunRow): Operation {
  const { _id, name, state, progress, error, createdAt, updatedAt, expireAt } = run
  return {
    id: _id,
    type: name,
    state: stateOf[state],
    ...(progress === undefined ? {} : { progress }),
    ...(error === undefined ? {} : { problem: { code: error.code, title: error.message } }),
    createdAt: createdAt.toISOString(),
    updatedAt: (updatedAt ?? createdAt).toISOString(),
    expiresAt: expireAt?.toISOString() ?? null
  }
}
