import type { Db } from 'mongodb'
import type { RunRow } from '../run.ts'

const live = ['published', 'running'] as const
const most = 20

/** What contradicts itself in a database that nobody writes to; a sentence each, the first 20. */
export function createRunFindings (db: Db) {
  const runs = db.collection<RunRow>('jobs.runs')
  return {
    /** The flag that a serial's unique index goes by must agree with the state. */
    async contradictions (): Promise<string[]> {
      const found = await runs.find({
        $or: [{ isLive: true, state: { $nin: [...live] } }, { isLive: false, state: { $in: [...live] } }]
      }, { projection: { state: 1 } }).limit(most).toArray()
      return found.map(({ _id, state }) => `run ${_id} is ${state}, and its flag says otherwise`)
    },

    /** The run of a dead letter stays as long as its letter is open. */
    async lettersWithoutRun (): Promise<string[]> {
      const found = await db.collection('jobs.letters').aggregate<{ _id: string, runId: string }>([
        { $match: { state: 'open' } },
        { $lookup: { from: 'jobs.runs', localField: 'runId', foreignField: '_id', as: 'run' } },
        { $match: { 'run.state': { $ne: 'dead' } } },
        { $limit: most },
        { $project: { runId: 1 } }
      ], { allowDiskUse: true }).toArray()
      return found.map(({ _id, runId }) => `letter ${_id} is open, and run ${runId} is not dead`)
    }
  }
}
