import type { FastifyInstance } from 'fastify'
import {
  coveredUntil, createResourceRepository, resourceState, type Obstacles, type ResourceState
} from '../../src/jobs/index.ts'
import { everything } from '../../src/kernel/index.ts'

/** What keeps the run of a slot from starting in time, as far as that can be said beforehand: blackouts. */
export function createObstacles ({ db, clock, registry }: FastifyInstance): () => Promise<Obstacles> {
  const resources = createResourceRepository(db)

  return async () => {
    const rows = new Map((await resources.all()).map((row) => [row._id, row]))
    const nowMs = clock.ms()
    const stateOf = (name: string): ResourceState =>
      resourceState(name, rows.get(name), registry.resources.get(name), { isTarget: false, nowMs })
    return ({ at, resources: names }) => {
      const states = new Map([...names, everything].map((name) => [name, stateOf(name)]))
      const until = coveredUntil({ names, isScheduled: true }, states, at)
      return until === null ? undefined : { verdict: 'blackout', reason: 'blackout', until }
    }
  }
}
