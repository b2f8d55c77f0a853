import type { Db } from 'mongodb'
import { endStates } from '../../kernel/index.ts'
import { everyLane } from '../indexes.ts'
import type { RunRow } from '../run.ts'
import type { BatchRow } from './batches.ts'
import type { EndedNeed } from './needs.ts'

export interface WaitingSerial { workspaceId: string, serial: string }

/** What a round of the keeper may have to mend (P). */
export interface Mendings {
  /** Names of workers that hold running runs. */
  holders: string[]
  /** Serials of runs that are held for another one. */
  serials: WaitingSerial[]
  /** Runs that ended and of which nobody told those that wait for them. */
  needs: EndedNeed[]
  /** Open batches, the next ones in order of id. */
  batches: BatchRow[]
}

interface Found { holder?: string, serial?: WaitingSerial, need?: EndedNeed, batch?: BatchRow }

const mostSerials = 1000
const mostAtOnce = 200

export type MendingRepository = ReturnType<typeof createMendingRepository>

export function createMendingRepository (db: Db) {
  const runs = db.collection<RunRow>('jobs.runs')
  const serials = [
    { $match: { state: 'pending', ...everyLane, heldBy: 'serial' } },
    { $group: { _id: { workspaceId: '$workspaceId', serial: '$serial' } } },
    { $limit: mostSerials },
    { $project: { _id: 0, serial: '$_id' } }
  ]
  const needs = [
    { $match: { isNeeded: true, state: { $in: endStates } } },
    { $limit: mostAtOnce },
    { $project: { _id: 0, need: { id: '$_id', isMet: { $eq: ['$state', 'done'] } } } }
  ]
  const batchesAfter = (id: string) => [
    { $match: { state: 'open', _id: { $gt: id } } },
    { $sort: { _id: 1 } },
    { $limit: mostAtOnce },
    { $replaceWith: { batch: '$$ROOT' } }
  ]
  let lastBatch = ''

  return {
    /** One question for all of it: it is asked every second, also where nothing goes on. */
    async look (): Promise<Mendings> {
      const found = await runs.aggregate<Found>([
        { $match: { state: 'running', worker: { $type: 'string' } } },
        { $group: { _id: '$worker' } },
        { $project: { _id: 0, holder: '$_id' } },
        { $unionWith: { coll: 'jobs.runs', pipeline: serials } },
        { $unionWith: { coll: 'jobs.runs', pipeline: needs } },
        { $unionWith: { coll: 'jobs.batches', pipeline: batchesAfter(lastBatch) } }
      ]).toArray()
      const batches = found.flatMap(({ batch }) => batch ?? [])
      lastBatch = batches.length < mostAtOnce ? '' : batches.at(-1)?._id ?? ''
      return {
        holders: found.flatMap(({ holder }) => holder ?? []),
        serials: found.flatMap(({ serial }) => serial ?? []),
        needs: found.flatMap(({ need }) => need ?? []),
        batches
      }
    }
  }
}
