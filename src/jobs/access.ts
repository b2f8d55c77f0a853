import { definePermissions, type Actor } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import type { RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'

export const permissions = definePermissions('jobs', {
  'operation:read': {
    kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See how long tasks of the workspace get on.'
  },
  'board:open': { kind: 'read', roles: ['operator'], sentence: 'Look at the queues of the installation on the board.' }
})

/** A run of the actor's workspace; what is foreign is missing. Throws `jobs.run_not_found`. */
export async function accessRun (runs: RunRepository, { workspaceId }: Actor, id: string): Promise<RunRow> {
  const run = workspaceId === '' ? undefined : await runs.find(workspaceId, id)
  if (run === undefined) throw JobsError.run_not_found({ id })
  return run
}
