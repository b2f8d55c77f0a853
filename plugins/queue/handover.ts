import type { Candidate } from '../../src/jobs/index.ts'
import type { Bus, Queue } from '../../src/kernel/index.ts'
import type { WorkersView } from './workers-view.ts'

const kind = 'jobs.handover'

/** A published run, and the worker that may start it beyond its places. */
export interface Handover { worker: string, queue: Queue, id: string, release: number }

/**
 * Tells a worker of the run of a newcomer, who would wait in Redis until a place becomes free. A hint: the claim
 * decides who has the run, and who gets it from Redis later finds it taken.
 */
export function createHandover (bus: Bus, self: string, take: (handed: Handover) => void) {
  const off = bus.on(kind, (data) => {
    const handed = data as unknown as Handover
    if (handed.worker === self) take(handed)
  })
  return {
    send (handed: Handover): void {
      if (handed.worker === self) take(handed)
      else bus.send(kind, { ...handed })
    },
    close: off
  }
}

/** Hands each run to the next worker that can do it. */
export function toNext (view: WorkersView, send: (handed: Handover) => void) {
  return ({ _id: id, queue, name, v }: Candidate, release: number): void => {
    const worker = view.nextFor({ name, v, queue })
    if (worker !== undefined) send({ worker, queue, id, release })
  }
}
