import type { WorkerlessRepository } from '../../src/jobs/index.ts'
import { queues, type Log } from '../../src/kernel/index.ts'
import type { Pauses } from './pauses.ts'
import type { Retries } from './retries.ts'
import type { Targets } from './targets.ts'
import type { WorkersView } from './workers-view.ts'

interface Parts {
  workerless: WorkerlessRepository
  view: WorkersView
  retries: Retries
  targets: Targets
  pauses: Pauses
  log: Log
}

/** Lets go of runs that are held for what is no more. */
export function createHolds ({ workerless, view, retries, targets, pauses, log }: Parts) {
  /** Some living worker can do them. */
  async function freeAble (): Promise<void> {
    const kinds = await workerless.kinds(queues.filter((queue) => view.concurrencyOf(queue) > 0))
    const able = kinds.filter(({ name, v, queue }) => view.canHandle(name, v, queue))
    await Promise.all(able.map(workerless.free))
  }

  return {
    freeAble,
    /**
     * Holds that nothing else ends: the last leader wrote them after this one had looked, or what let go of them was
     * lost with the leader of MongoDB. Those for a serial are looked at every second (`freeStaleSerials`).
     */
    async freeStale (): Promise<void> {
      retries.doubt()
      const [freed] = await Promise.all([targets.freeForgotten(), freeAble(), pauses.freeForgotten()])
      if (freed > 0) log.warn({ freed }, 'runs were held for targets that are not on hold')
    }
  }
}

export type Holds = ReturnType<typeof createHolds>
