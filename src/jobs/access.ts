import { definePermissions, type Actor } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import type { RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'

const keepers = ['owner', 'admin', 'operator']
const everywhere = 'workspace:all'

export const permissions = definePermissions('jobs', {
  'operation:read': {
    kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See how long tasks of the workspace get on.'
  },
  'operation:cancel': {
    kind: 'write', roles: ['owner', 'admin', 'member'], sentence: 'End long tasks that you started.'
  },
  'schedule:read': { kind: 'read', roles: ['operator', 'owner', 'admin'], sentence: 'See schedules and their slots.' },
  'schedule:operate': { kind: 'write', roles: ['operator'], sentence: 'Make, change, pause and trigger schedules.' },
  'run:read': { kind: 'read', roles: keepers, sentence: 'See the runs of the workspace, with their data.' },
  'run:operate': { kind: 'write', roles: keepers, sentence: 'Cancel and re-order runs of the workspace.' },
  'letter:read': { kind: 'read', roles: keepers, sentence: 'See the dead letters of the workspace.' },
  'letter:operate': { kind: 'write', roles: keepers, sentence: 'Edit, replay and discard dead letters.' },
  'event:read': { kind: 'read', roles: keepers, sentence: 'Read the log of events of the workspace.' },
  'event:operate': { kind: 'write', roles: keepers, sentence: 'Replay events to a subscriber.' },
  'queue:read': { kind: 'read', roles: ['operator'], sentence: 'See how the queues of the installation stand.' },
  'queue:operate': { kind: 'write', roles: ['operator'], sentence: 'Pause and resume queues.' },
  'capacity:read': { kind: 'read', roles: ['operator'], sentence: 'See resources and the shares of workspaces.' },
  'capacity:operate': {
    kind: 'write', roles: ['operator'], sentence: 'Set capacity, rates and blackouts, and the shares of workspaces.'
  },
  [everywhere]: { kind: 'read', roles: ['operator'], sentence: 'See and operate the work of all workspaces.' },
  'board:open': { kind: 'read', roles: ['operator'], sentence: 'Look at the queues of the installation on the board.' }
})

/** Workspaces whose work an actor sees; undefined: all of them. */
export type Scope = readonly string[] | undefined

/** Operators of the platform see all workspaces, or the one asked for; everybody else their own. */
export function scopeOf (actor: Actor, asked?: string): Scope {
  if (actor.can(`jobs:${everywhere}`)) return asked === undefined ? undefined : [asked]
  return asked === undefined || asked === actor.workspaceId ? [actor.workspaceId] : []
}

/**
 * A run of the actor's workspace, for operators of the platform also one of the installation; what is foreign is
 * missing. Throws `jobs.run_not_found`.
 */
export async function accessRun (runs: RunRepository, actor: Actor, id: string): Promise<RunRow> {
  const places = [actor.workspaceId].filter((place) => place !== '')
  if (actor.can(`jobs:${everywhere}`)) places.push('')
  let run: RunRow | undefined
  for (const place of places) run ??= await runs.find(place, id)
  if (run === undefined) throw JobsError.run_not_found({ id })
  return run
}

/** A run that the actor started, or may operate. What is somebody else's is missing. Throws `jobs.run_not_found`. */
export async function accessOwnRun (runs: RunRepository, actor: Actor, id: string): Promise<RunRow> {
  const run = await accessRun(runs, actor, id)
  if (!isOwn(run, actor) && !actor.can('jobs:run:operate')) throw JobsError.run_not_found({ id })
  return run
}

/** Also what a key of the same person began. */
function isOwn ({ actor: starter }: RunRow, { id, userId }: Actor): boolean {
  return starter !== undefined && (starter.id === id || (userId !== null && starter.userId === userId))
}
