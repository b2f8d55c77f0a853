import type { Bus } from '../../src/kernel/index.ts'
import type { Poisoned } from '../../src/jobs/index.ts'

const kind = 'jobs.poison'

/** Tells every worker of a death at once: the next run of this job would take the one that has not heard of it. */
export function tellPoison (bus: Bus, { name, dataHash, failedAt }: Poisoned): void {
  bus.send(kind, { name, dataHash, failedAtMs: failedAt.getTime() })
}

export function onPoison (bus: Bus, hear: (poisoned: Poisoned) => void): () => void {
  return bus.on(kind, (data) => {
    const { name, dataHash, failedAtMs } = data as { name: string, dataHash: string, failedAtMs: number }
    hear({ name, dataHash, failedAt: new Date(failedAtMs) })
  })
}
