// What a slice may know of the ends of its runs, although it does not know the slice that keeps them.
import { Type } from 'typebox'
import { defineEvent } from './events.ts'
import type { JobDefinition, RunState } from './jobs.ts'
import { Id } from './schemas.ts'

const word = Type.String({ maxLength: 128 })

/** A run in one of these states never starts again. */
export const endStates = ['done', 'dead', 'cancelled', 'expired', 'skipped'] as const satisfies readonly RunState[]

/** Whether a run in this state has ended. */
export function isOver (state: RunState): boolean {
  return (endStates as readonly RunState[]).includes(state)
}

/** Why a run died, as its letter says it; members of the events that tell of it. */
export const trouble = { name: word, class: word, code: word, fingerprint: Type.String({ maxLength: 32 }) }

/** A run will not be tried again; written with its letter. Runs that hear of deaths are not told of when they die. */
export const runDead = defineEvent({
  name: 'jobs.run.dead',
  data: Type.Object({ runId: Id, letterId: Id, ...trouble }, { additionalProperties: false })
})

/** How a run stands; `code`: of the error it ended with. */
export interface RunStanding {
  id: string
  key: string | null
  data: unknown
  state: RunState
  code: string | null
}

/** Looks at runs that were added by whoever asks. */
export interface RunLookup {
  /** Runs of one job and workspace by their ids or keys, in no order; forgotten ones are missing. */
  look (
    job: Pick<JobDefinition, 'name'>, workspaceId: string, asked: { ids: readonly string[], keys: readonly string[] }
  ): Promise<RunStanding[]>
}
