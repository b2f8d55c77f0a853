import type { Clock, JobDefinition } from '../../src/kernel/index.ts'
import type { Operation } from '../../src/kernel/schemas.ts'

/** The operation that a run is at its birth. */
export function started (clock: Clock, { name }: Pick<JobDefinition, 'name'>, id: string): Operation {
  const now = clock.now().toISOString()
  return { id, type: name, state: 'pending', createdAt: now, updatedAt: now, expiresAt: null }
}
