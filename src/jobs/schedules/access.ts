import type { Actor } from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import type { ScheduleRepository } from '../repository.ts'
import type { ScheduleRow } from './row.ts'

/** Whose schedules an actor sees: those of the own workspace, as an operator all (undefined). */
export function scopeOf ({ roles, kind, workspaceId }: Actor): string | undefined {
  return roles.includes('operator') || kind === 'system' ? undefined : workspaceId
}

export function createScheduleAccess (schedules: ScheduleRepository) {
  return {
    /** What is foreign is missing. Throws `jobs.schedule_not_found`. */
    async schedule (actor: Actor, id: string): Promise<ScheduleRow> {
      const scope = scopeOf(actor)
      const row = scope === '' ? undefined : await schedules.find(scope, id)
      if (row === undefined) throw JobsError.schedule_not_found({ id })
      return row
    }
  }
}

export type ScheduleAccess = ReturnType<typeof createScheduleAccess>
