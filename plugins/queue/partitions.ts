import { partitionOf, rhythms, sharesOf, slotsWhere, spreadOf } from '../../src/jobs/index.ts'
import type { Queue } from '../../src/kernel/index.ts'
import { bullPrefix } from './connection.ts'

/** One BullMQ worker of a process: a queue has one for each partition it is spread over. */
export interface Share {
  prefix: string
  concurrency: number
  /** Slots whose runs are delivered there; undefined: all. */
  slots: readonly number[] | undefined
}

/** Where the deliveries of runs are (`jobs.md` 4.8). */
export function createPartitions (prefix: string, count: number) {
  const prefixOf = (queue: string, partition: number): string =>
    bullPrefix(prefix, partition % spreadOf(queue as Queue, count))

  return {
    count,
    of: (workspaceId: string) => count === 1 ? 0 : partitionOf(workspaceId, count),
    prefixOf,
    /** The same by workspace. */
    homeOf: (queue: string, workspaceId: string) => prefixOf(queue, partitionOf(workspaceId, count)),
    /** Slots of the runs that the keeper of a partition has. */
    slotsOf: (partition: number) => slotsWhere(count, (one) => one === partition),
    sharesOf (queue: Queue): Share[] {
      const spread = spreadOf(queue, count)
      return sharesOf(rhythms[queue].concurrency, spread).map((concurrency, i) => ({
        prefix: bullPrefix(prefix, i), concurrency, slots: slotsWhere(count, (one) => one % spread === i)
      }))
    },
    /** The key that tells the Redis of a partition from one that was emptied. */
    epochKey: (partition: number) => `${bullPrefix(prefix, partition)}:epoch`
  }
}

export type Partitions = ReturnType<typeof createPartitions>
