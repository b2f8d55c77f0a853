import { leaveNote, type Bus, type Tx } from '../../src/kernel/index.ts'

/** What a relay should look at; all of it is a hint, the store has the truth. */
export interface Wake {
  queues: string[]
  /** Queue and workspace of runs that ended, once for each: places became free. */
  ended?: Array<[queue: string, workspaceId: string]>
  /** Resources of which a place became free. */
  freed?: readonly string[]
  /** Serials whose live run ended. */
  serials?: Array<[workspaceId: string, serial: string]>
  /** Targets that answered well. */
  targets?: string[]
  /** A target was put on hold. */
  hasHolds?: boolean
}

const kind = 'jobs.wake'
const note = Symbol('queues of new runs')

export interface Waker {
  /** Says in the transaction at work that the queue gets a run. */
  onAdded: (queue: string) => void
  send: (wake: Wake) => void
}

/** Wakes the keeper, in this process without a detour, else over the bus. */
export function createWaker (bus: Bus, tx: Tx, local: () => ((wake: Wake) => void) | undefined): Waker {
  function send (wake: Wake): void {
    const wakeLocal = local()
    if (wakeLocal !== undefined) wakeLocal(wake)
    else bus.send(kind, { ...wake })
  }
  tx.join({
    name: 'queue',
    afterCommit (notes) {
      const queues = notes.get(note)
      if (queues !== undefined) send({ queues: [...new Set(queues as string[])] })
    }
  })
  return { onAdded: (queue) => { leaveNote(note, queue) }, send }
}

export function onWake (bus: Bus, listener: (wake: Wake) => void): () => void {
  return bus.on(kind, (data) => { listener(data as unknown as Wake) })
}

const workersKind = 'jobs.workers'

/** Tells every keeper that a worker came or went. */
export function tellWorkers (bus: Bus): void {
  bus.send(workersKind, {})
}

export function onWorkers (bus: Bus, listener: () => void): () => void {
  return bus.on(workersKind, listener)
}
