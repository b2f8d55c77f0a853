import { DomainError, HttpError, type Actor, type Registry, type RouteAuth } from '../../../src/kernel/index.ts'

export type Guarded = Exclude<RouteAuth, { public: string }>

const proofOf: Record<Actor['kind'], string> = {
  user: 'session', key: 'apiKey', service: 'service', system: 'system', anonymous: 'none'
}

/** The first refusal of an actor by a declaration, in the order of `identity.md` 3.2. */
export function refuse (auth: Guarded, actor: Actor, registry: Registry, nowMs: () => number): DomainError | undefined {
  const isAccepted = (auth.by as readonly string[]).includes(proofOf[actor.kind])
  if (!isAccepted || (auth.permission !== 'self' && !actor.can(auth.permission))) {
    return denied(registry, auth.permission)
  }
  const maxAgeS = auth.freshness ?? 0
  if (maxAgeS > 0 && nowMs() / 1000 - (actor.authTime ?? 0) > maxAgeS) {
    return HttpError.step_up_required({ maxAgeS, methods: ['password'] })
  }
  return undefined
}

// The word belongs to identity, which this floor does not know: it is looked up by its code.
function denied (registry: Registry, permission: string): DomainError {
  const definition = registry.errors.get('identity.permission_denied')
  return definition === undefined ? HttpError.origin_forbidden() : new DomainError(definition, { permission }, {})
}
