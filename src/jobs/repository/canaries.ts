import type { Db } from 'mongodb'
import { endStates, isOver, type Queue, type RunState } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

/** The last canary of a queue. */
export interface CanaryRow { id: string, queue: Queue, state: RunState, isEnded: boolean, createdAt: Date }

// The index of keys: a few of each queue are kept.
export const canaryName = 'jobs.run-canary'
export const canary = { workspaceId: '', name: canaryName, key: { $exists: true } }

export type CanaryRepository = ReturnType<typeof createCanaryRepository>

/** Canaries among the runs (P). */
export function createCanaryRepository (db: Db) {
  const rows = db.collection<RunRow>('jobs.runs')

  return {
    async latest (): Promise<CanaryRow[]> {
      const found = await rows.aggregate<{ _id: Queue, id: string, state: RunState, createdAt: Date }>([
        { $match: canary },
        { $sort: { _id: -1 } },
        {
          $group: {
            _id: '$queue', id: { $first: '$_id' }, state: { $first: '$state' }, createdAt: { $first: '$createdAt' }
          }
        }
      ]).toArray()
      return found.map(({ _id, ...row }) => ({ ...row, queue: _id, isEnded: isOver(row.state) }))
    },

    async forget (before: Date): Promise<void> {
      await rows.deleteMany({ ...canary, state: { $in: [...endStates] }, createdAt: { $lt: before } })
    }
  }
}
