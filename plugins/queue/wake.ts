import { leaveNote, type Bus, type Tx } from '../../src/kernel/index.ts'
import type { Partitions } from './partitions.ts'

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
  /** Whose runs it is about; absent: anybody's. */
  workspaces?: string[]
  /** Just these runs are new; absent: any may be. */
  runs?: string[]
  /** Partitions whose keepers should hear it, on the bus; absent: all. */
  partitions?: number[]
}

/** Queues to look at, each for these new runs; undefined: for any. */
export type Wanted = Map<string, ReadonlySet<string> | undefined>

export function want (wanted: Wanted, queue: string, runs?: readonly string[]): void {
  const before = wanted.get(queue)
  const isForAny = runs === undefined || (wanted.has(queue) && before === undefined)
  wanted.set(queue, isForAny ? undefined : new Set([...before ?? [], ...runs]))
}

/** So many new runs are told of by their ids. */
const mostTold = 16

const kind = 'jobs.wake'
const note = Symbol('queues of new runs')

export interface Waker {
  /** Says in the transaction at work that the queue gets a run; without a workspace, of anybody. */
  onAdded: (queue: string, workspaceId?: string, id?: string) => void
  send: (wake: Wake) => void
}

interface Added { queue: string, workspaceId?: string | undefined, id?: string | undefined }

/** Wakes keepers, in this process without a detour, else over the bus; `tell` is false for one that is elsewhere. */
export function createWaker (
  bus: Bus, tx: Tx, { count, of }: Pick<Partitions, 'count' | 'of'>, tell: (partition: number, wake: Wake) => boolean
): Waker {
  function send (wake: Wake): void {
    const wanted = wake.workspaces === undefined ? Array(count).keys() : new Set(wake.workspaces.map(of))
    const remote = [...wanted].filter((partition) => !tell(partition, wake))
    if (remote.length > 0) bus.send(kind, { ...wake, partitions: remote })
  }
  tx.join({
    name: 'queue',
    afterCommit (notes) {
      const added = notes.get(note) as readonly Added[] | undefined
      if (added === undefined) return
      const workspaces = new Set(added.map(({ workspaceId }) => workspaceId))
      const runs = added.flatMap(({ id }) => id ?? [])
      send({
        queues: [...new Set(added.map(({ queue }) => queue))],
        ...(!workspaces.has(undefined) && { workspaces: [...workspaces] as string[] }),
        ...(runs.length === added.length && runs.length <= mostTold && { runs })
      })
    }
  })
  return {
    onAdded: (queue, workspaceId, id) => { leaveNote(note, { queue, workspaceId, id } satisfies Added) },
    send
  }
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
