import type { Db } from 'mongodb'
import type { Lane, Queue } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

export type Candidate = Pick<RunRow,
  '_id' | 'workspaceId' | 'name' | 'v' | 'queue' | 'lane' | 'cost' | 'serial' | 'seq' | 'target' | 'resources' |
  'rank' | 'slotAt' | 'overtaken' | 'cause' | 'runAt' | 'release' | 'attempt' | 'deadlineAt' | 'starts' | 'heldBy'>

export const shownOfCandidate = {
  workspaceId: 1, name: 1, v: 1, queue: 1, lane: 1, cost: 1, serial: 1, seq: 1, target: 1, resources: 1, rank: 1,
  slotAt: 1, overtaken: 1, cause: 1, runAt: 1, release: 1, attempt: 1, deadlineAt: 1, starts: 1, heldBy: 1
} as const

/** What is asked of a lane of a queue. */
export interface Ask {
  queue: Queue
  lane: Lane
  /** How many workspaces, in order of name from this one on, round and round. */
  workspaces: number
  from: string
  /** None of these. */
  without: readonly string[]
  /** How many runs of each. */
  runs: number
}

/** Due runs of the slots that nothing holds: some of each workspace whose turn comes, the longest due first (P). */
export function createCandidateRepository (db: Db, slots?: readonly number[]) {
  const rows = db.collection<RunRow>('jobs.runs')
  const coll = rows.collectionName
  const mine = slots === undefined ? {} : { slot: { $in: [...slots] } }

  /**
   * One step of the index for each workspace that waits (its first entry is its oldest run that nothing holds), then
   * one look-up for each whose turn it is: a backlog of a million runs of one workspace costs what one of ten does.
   */
  function pipelineOf ({ queue, lane, workspaces, from, without, runs }: Ask, now: Date) {
    const waiting = { state: 'pending', queue, lane }
    return [
      { $match: { ...waiting, ...(without.length > 0 && { workspaceId: { $nin: [...without] } }) } },
      { $sort: { state: 1, queue: 1, lane: 1, workspaceId: 1, heldBy: 1, runAt: 1 } },
      {
        $group: {
          _id: '$workspaceId', heldBy: { $first: '$heldBy' }, runAt: { $first: '$runAt' }, slot: { $first: '$slot' }
        }
      },
      { $match: { heldBy: null, runAt: { $lte: now }, ...mine } },
      { $set: { turn: { $cond: [{ $gte: ['$_id', { $literal: from }] }, 0, 1] } } },
      { $sort: { turn: 1, _id: 1 } },
      { $limit: workspaces },
      {
        $lookup: {
          from: coll,
          localField: '_id',
          foreignField: 'workspaceId',
          as: 'run',
          pipeline: [
            { $match: { ...waiting, heldBy: null, runAt: { $lte: now } } },
            { $sort: { runAt: 1, _id: 1 } },
            { $limit: runs },
            { $project: shownOfCandidate }
          ]
        }
      },
      { $unwind: '$run' },
      { $replaceRoot: { newRoot: '$run' } }
    ]
  }

  return {
    /** All that is asked for in one round trip. */
    async due (asks: readonly Ask[], now: Date): Promise<Candidate[]> {
      const [first, ...others] = asks.filter(({ workspaces, runs }) => workspaces > 0 && runs > 0)
        .map((ask) => pipelineOf(ask, now))
      if (first === undefined) return []
      return await rows.aggregate<Candidate>([
        ...first, ...others.map((pipeline) => ({ $unionWith: { coll, pipeline } }))
      ]).toArray()
    },

    /** Those of these runs that are due. */
    async these (ids: readonly string[], now: Date): Promise<Candidate[]> {
      if (ids.length === 0) return []
      return await rows.find(
        { _id: { $in: [...ids] }, state: 'pending', heldBy: null, runAt: { $lte: now }, ...mine },
        { projection: shownOfCandidate }).toArray()
    },

    /** Live runs by queue and workspace. */
    async live (queues: readonly Queue[]): Promise<Array<{ queue: Queue, workspaceId: string, count: number }>> {
      const found = await rows.aggregate<{ _id: { queue: Queue, workspaceId: string }, count: number }>([
        { $match: { isLive: true, queue: { $in: [...queues] }, ...mine } },
        { $group: { _id: { queue: '$queue', workspaceId: '$workspaceId' }, count: { $sum: 1 } } }
      ]).toArray()
      return found.map(({ _id, count }) => ({ ..._id, count }))
    }
  }
}

export type CandidateRepository = ReturnType<typeof createCandidateRepository>
