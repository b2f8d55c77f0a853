import type { ResourceRepository, RunRow, ShareRepository } from '../../src/jobs/index.ts'
import type { Log } from '../../src/kernel/index.ts'
import type { Wake } from './wake.ts'

interface Parts {
  shares: ShareRepository
  resources: ResourceRepository
  wake: (wake: Wake) => void
  log: Log
}

/** What a worker knows of the places that its runs have and may take without the relay. */
export function createRunPlaces ({ shares, resources, wake, log }: Parts) {
  /** Queues and workspaces whose every start needs the leave of the relay. */
  let closed = new Set<string>()

  return {
    async load (): Promise<void> { closed = await shares.withoutRows() },

    /** Whether a run may start in the place of the one before it in its serial. */
    mayFollow: ({ queue, workspaceId }: RunRow): boolean =>
      closed.size === 0 || !(closed.has(queue) || closed.has(`${queue} ${workspaceId}`)),

    /** Gives back what the release took; where that fails, the keeper finds it. */
    async giveBack ({ _id: runId, release, taken = [] }: RunRow): Promise<void> {
      if (taken.length === 0) return
      try {
        // A start that lost its run must not free the place of the one that has it.
        if (await resources.isLive(runId, release)) return
        await resources.giveBack(taken, { runId, release })
        wake({ queues: [], freed: taken })
      } catch (err) {
        log.warn({ err, run: runId }, 'the places of a run were not given back')
      }
    }
  }
}

export type RunPlaces = ReturnType<typeof createRunPlaces>
