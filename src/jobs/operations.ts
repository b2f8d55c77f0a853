import type { Actor } from '../kernel/index.ts'
import type { Operation } from '../kernel/schemas.ts'
import { accessOwnRun, accessRun } from './access.ts'
import { toOperation } from './present.ts'
import type { RunRepository } from './repository.ts'
import type { RunControl } from './run-control.ts'

interface Collaborators { runs: RunRepository, control: Pick<RunControl, 'cancel'> }

export type Operations = ReturnType<typeof createOperations>

/** What those who started a run do with it (`conventions.md` 4.7); the face of operators is the run itself. */
export function createOperations ({ runs, control }: Collaborators) {
  return {
    /**
     * Ends a waiting run at once, one at work when its handler returns; asked for again it is the same answer.
     * Throws `run_not_found`, and `run_finished` where it ended otherwise.
     */
    async cancel (actor: Actor, id: string): Promise<Operation> {
      const { state } = await accessOwnRun(runs, actor, id)
      if (state !== 'cancelled') await cancelOnce(actor, id)
      return toOperation(await accessRun(runs, actor, id))
    }
  }

  async function cancelOnce (actor: Actor, id: string): Promise<void> {
    try {
      await control.cancel(actor, id, 'its owner ended it')
    } catch (error) {
      // Two that ask at once: the second one meets what the first one did.
      if ((await accessRun(runs, actor, id)).state !== 'cancelled') throw error
    }
  }
}
