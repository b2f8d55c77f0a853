import { leaveNote } from '../kernel/index.ts'
import type { RunRow } from './run.ts'

type Arrived = Pick<RunRow, 'queue' | 'lane'>

export interface Arrivals extends Arrived { count: number }

const note = Symbol('runs that were added')

/** Notes in the transaction at work that it adds these runs. */
export function noteArrivals (runs: readonly Arrived[]): void {
  if (runs.length > 0) leaveNote(note, runs)
}

/** What a committed transaction added, by queue and lane. */
export function arrivalsIn (notes: ReadonlyMap<symbol, readonly unknown[]>): Arrivals[] {
  const runs = (notes.get(note) ?? []).flat() as Arrived[]
  return [...Map.groupBy(runs, ({ queue, lane }) => `${queue} ${lane}`).values()].flatMap((group) => {
    const [one] = group
    return one === undefined ? [] : [{ queue: one.queue, lane: one.lane, count: group.length }]
  })
}
