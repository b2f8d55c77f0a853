import type { Pause, PauseRepository } from '../../src/jobs/index.ts'

/** Whether one of the pauses is of the queue, or of the workspace in it. */
export const isPausedBy = (
  names: ReadonlySet<string>, { queue, workspaceId }: { queue: string, workspaceId: string }
): boolean => names.size > 0 && (names.has(queue) || names.has(`${queue} ${workspaceId}`))

/** Paused queues as the keeper knows them; what changes is carried over to the runs that wait. */
export function createPauses (pauses: PauseRepository) {
  let known: Map<string, Pause> | undefined
  let names = new Set<string>()

  return {
    /** These there are. */
    async set (those: readonly Pause[]): Promise<void> {
      const there = new Map(those.map((pause) => [pause._id, pause]))
      const isSame = known !== undefined && known.size === there.size && [...there.keys()].every((id) => known?.has(id))
      if (isSame) return
      const added = [...there.values()].filter(({ _id }) => known?.has(_id) !== true)
      names = new Set(there.keys())
      await pauses.freeAllBut([...there.values()])
      for (const pause of added) await pauses.hold(pause)
      known = there
    },

    /** Lets go of what is held for no pause. */
    async freeForgotten (): Promise<void> {
      await pauses.freeAllBut([...known?.values() ?? []])
    },

    isPaused: (run: { queue: string, workspaceId: string }): boolean => isPausedBy(names, run)
  }
}

export type Pauses = ReturnType<typeof createPauses>
