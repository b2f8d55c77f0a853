import type { Actor, Clock, RunLookup } from '../kernel/index.ts'
import type { Operation } from '../kernel/schemas.ts'
import { accessRun } from './access.ts'
import { toOperation } from './present.ts'
import type { RunRepository } from './repository.ts'

/** Reading of runs for their owners, and whether there is work left. */
export interface RunReads extends RunLookup {
  /** The operation of the actor's workspace. Throws `jobs.run_not_found`. */
  operation (actor: Actor, id: string): Promise<Operation>
  /** Whether nothing is live and nothing that is due waits. */
  isQuiet (): Promise<boolean>
}

export function createRunReads ({ runs, clock }: { runs: RunRepository, clock: Clock }): RunReads {
  return {
    operation: async (actor, id) => toOperation(await accessRun(runs, actor, id)),
    isQuiet: async () => await runs.isQuiet(clock.now()),
    look: async ({ name }, workspaceId, { ids, keys }) =>
      (await runs.look(workspaceId, name, ids, keys)).map(({ _id: id, key = null, data, state, error }) =>
        ({ id, key, data, state, code: error?.code ?? null }))
  }
}
