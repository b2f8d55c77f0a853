import { isOver, type AddOptions, type Session } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { failedNeed, type NeedRepository } from './repository.ts'
import type { RunRow } from './run.ts'

const mostNeeds = 1000

/** What a run of these options waits for. Throws `schema_mismatch` where that cannot be told. */
export function askedNeeds ({ needs = [], onNeedFailure }: AddOptions): Pick<RunRow, 'needs' | 'onNeedFailure'> {
  if (needs.length === 0) return {}
  if (onNeedFailure === undefined) {
    throw JobsError.schema_mismatch({}, { detail: 'A run with needs says what becomes of it when one of them fails.' })
  }
  if (needs.length > mostNeeds) {
    throw JobsError.schema_mismatch({}, { detail: `A run needs at most ${mostNeeds} others.` })
  }
  return { needs: [...new Set(needs)], onNeedFailure }
}

/** The run as it begins: blocked, pending where all have ended well, or over already. Throws `schema_mismatch`. */
export async function begin (repository: NeedRepository, session: Session, run: RunRow, now: Date): Promise<RunRow> {
  const { needs, onNeedFailure } = run
  if (needs === undefined) return run
  const states = await repository.mark(session, run.workspaceId, needs)
  const unknown = needs.find((id) => !states.has(id))
  if (unknown !== undefined) {
    throw JobsError.schema_mismatch({ need: unknown }, { detail: `There is no run ${unknown}.` })
  }
  const ended = needs.filter((id) => isOver(states.get(id) ?? 'dead'))
  if (onNeedFailure !== 'continue' && ended.some((id) => states.get(id) !== 'done')) {
    return { ...run, ...failedNeed(onNeedFailure === 'skip' ? 'skipped' : 'dead', now), waiting: 0 }
  }
  const waiting = needs.length - ended.length
  return { ...run, met: ended, waiting, state: waiting === 0 ? 'pending' : 'blocked' }
}
