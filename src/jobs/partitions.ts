import { crc32 } from 'node:zlib'
import type { Queue } from '../kernel/index.ts'
import { rhythms } from './queues.ts'

/** Places of the hash; a run keeps its own, so that another number of partitions is only another way to read it. */
export const slots = 256

export function slotOf (workspaceId: string): number {
  return crc32(workspaceId) % slots
}

/** Which of `count` partitions has the runs of a workspace (`jobs.md` 4.8). */
export function partitionOf (workspaceId: string, count: number): number {
  return slotOf(workspaceId) % count
}

/**
 * How many of them a queue really has in Redis: a process consumes each with at least one place, so a queue has no more
 * than places. What starts twice a minute needs no Redis of its own.
 */
export function spreadOf (queue: Queue, count: number): number {
  return Math.min(count, rhythms[queue].concurrency)
}

/** Places of a process, shared out exactly: none of them waits with a delivery that another process could have. */
export function sharesOf (concurrency: number, spread: number): number[] {
  return Array.from({ length: spread }, (_, i) => Math.floor((concurrency + spread - 1 - i) / spread))
}

/** Slots of the partitions that a filter takes; undefined where it takes all of them, so that no query names any. */
export function slotsWhere (count: number, takes: (partition: number) => boolean): readonly number[] | undefined {
  const taken = Array.from({ length: slots }, (_, slot) => slot).filter((slot) => takes(slot % count))
  return taken.length === slots ? undefined : taken
}
