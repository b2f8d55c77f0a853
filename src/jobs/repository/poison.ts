import type { Db } from 'mongodb'
import type { Poisoned } from '../solo.ts'
import type { Letter } from './claims.ts'

const most = 1000

export type PoisonRepository = ReturnType<typeof createPoisonRepository>

/** What every worker must know of dead letters (P). */
export function createPoisonRepository (db: Db) {
  const letters = db.collection<Letter>('jobs.letters')

  return {
    /** The latest poison whose letter nobody discarded: a replay of it starts solo as well. */
    async poisoned (): Promise<Poisoned[]> {
      const found = await letters.find(
        { class: 'poison', state: { $in: ['open', 'replayed'] } },
        { projection: { name: 1, dataHash: 1, failedAt: 1 } }
      ).sort({ failedAt: -1 }).limit(most).toArray()
      return found.map(({ name, dataHash = '', failedAt }) => ({ name, dataHash, failedAt }))
    }
  }
}
