import { definePermissions, type Actor, type PermissionDefinition } from '../kernel/index.ts'

export const permissions = definePermissions('identity', {
  'member:read': {
    kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See who belongs to the workspace.'
  }
})

/** What a set of roles may do, by name; computed once per set, so that `can` is one look-up. */
export function createRoleTable (declared: () => ReadonlyMap<string, PermissionDefinition>) {
  const sets = new Map<string, ReadonlySet<string>>()
  return function permissionsOf (roles: readonly string[]): ReadonlySet<string> {
    const key = roles.join(' ')
    const known = sets.get(key)
    if (known !== undefined) return known
    const names = [...declared().values()].filter((one) => one.roles.some((role) => roles.includes(role)))
    const set = new Set(names.map(({ name }) => name))
    sets.set(key, set)
    return set
  }
}

/** The session of a caller who came with one. */
export interface SessionActor extends Actor { userId: string, sessionId: string }

export function isSessionActor (actor: Actor): actor is SessionActor {
  return actor.userId !== null && actor.sessionId !== null
}
