import type { Collection, Document } from 'mongodb'
import { lanes, type Lane, type Queue } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

export interface OldestOf { queue: Queue, lane: Lane, runAt: Date }

/**
 * Stages over `jobs.runs` that answer `{ oldest: OldestOf }` for each queue and lane that has pending runs: since when
 * the oldest is due of those with which the index begins in each workspace, where what nothing holds comes first. One
 * question, and one step of the index for each workspace, whatever the backlog. `freeAt`: only runs that nothing holds,
 * and that are due by then.
 */
export function oldestStages (of: readonly Queue[], freeAt?: Date): Document[] {
  const isFree = freeAt === undefined ? [] : [{ $match: { heldBy: null, runAt: { $lte: freeAt } } }]
  const [first = [{ $match: { _id: { $in: [] } } }], ...others] = of.flatMap((queue) => lanes.map((lane) => [
    { $match: { state: 'pending', queue, lane } },
    { $sort: { state: 1, queue: 1, lane: 1, workspaceId: 1, heldBy: 1, runAt: 1 } },
    { $group: { _id: '$workspaceId', heldBy: { $first: '$heldBy' }, runAt: { $first: '$runAt' } } },
    ...isFree,
    { $group: { _id: null, runAt: { $min: '$runAt' } } },
    { $project: { _id: 0, oldest: { queue: { $literal: queue }, lane: { $literal: lane }, runAt: '$runAt' } } }
  ]))
  return [...first, ...others.map((pipeline) => ({ $unionWith: { coll: 'jobs.runs', pipeline } }))]
}

export async function oldestOf (
  runs: Collection<RunRow>, of: readonly Queue[], freeAt: Date
): Promise<OldestOf[]> {
  const found = await runs.aggregate<{ oldest: OldestOf }>(oldestStages(of, freeAt)).toArray()
  return found.map(({ oldest }) => oldest)
}
