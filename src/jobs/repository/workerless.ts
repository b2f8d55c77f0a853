import type { Db } from 'mongodb'
import { lanes, type Queue } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'

/** What a worker has to know to do a run. */
type Kind = Pick<RunRow, 'queue' | 'name' | 'v'>

/** Runs of the slots that are held until a worker is there which knows them (P). */
export function createWorkerlessRepository (db: Db, slots?: readonly number[]) {
  const rows = db.collection<RunRow>('jobs.runs')
  const held = {
    state: 'pending', lane: { $in: [...lanes] }, heldBy: 'no_worker',
    ...(slots === undefined ? {} : { slot: { $in: [...slots] } })
  } as const

  return {
    async kinds (queues: readonly Queue[]): Promise<Kind[]> {
      const found = await rows.aggregate<{ _id: Kind }>([
        { $match: { ...held, queue: { $in: [...queues] } } },
        { $group: { _id: { queue: '$queue', name: '$name', v: '$v' } } }
      ]).toArray()
      return found.map(({ _id }) => _id)
    },

    /** Lets go of them. */
    async free (kind: Kind): Promise<void> {
      await rows.updateMany({ ...held, ...kind }, { $set: { heldBy: null } }, { writeConcern: { w: 1 } })
    }
  }
}

export type WorkerlessRepository = ReturnType<typeof createWorkerlessRepository>
