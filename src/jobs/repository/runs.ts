import type { Db } from 'mongodb'
import { endStates, type RunState, type Session } from '../../kernel/index.ts'
import { noteArrivals } from '../arrivals.ts'
import { everyQueue } from '../indexes.ts'
import type { RunRow } from '../run.ts'
import { canaryName } from './canaries.ts'

/** What is told of a run to whoever watches it. */
export type EndedRun = Pick<RunRow, '_id' | 'name' | 'state' | 'progress' | 'error'>

export interface KeptRun { id: string, state: RunState, dataHash: string, isNew: boolean }

export type RunRepository = ReturnType<typeof createRunRepository>

/** Adding and reading runs. */
export function createRunRepository (db: Db) {
  const rows = db.collection<RunRow>('jobs.runs')
  const kept = { projection: { state: 1, dataHash: 1, key: 1 } } as const

  return {
    /** Adds the run, or answers the one that already has its key. */
    async add (session: Session, run: RunRow): Promise<KeptRun> {
      if (run.key === undefined) {
        await rows.insertOne(run, { session })
        noteArrivals([run])
        return { id: run._id, state: run.state, dataHash: run.dataHash, isNew: true }
      }
      const { workspaceId, name, key, ...rest } = run
      // A caught duplicate key would abort the transaction (`jobs.md` 4.1).
      const { upsertedCount } = await rows.updateOne(
        { workspaceId, name, key }, { $setOnInsert: rest }, { session, upsert: true })
      if (upsertedCount === 1) {
        noteArrivals([run])
        return { id: run._id, state: run.state, dataHash: run.dataHash, isNew: true }
      }
      const first = await rows.findOne({ workspaceId, name, key }, { session, ...kept })
      if (first === null) throw new Error('an upsert matched nothing')
      return { id: first._id, state: first.state, dataHash: first.dataHash, isNew: false }
    },

    /** Adds what is missing of runs of one name and workspace; answers in their order. */
    async addMany (session: Session, runs: readonly RunRow[]): Promise<KeptRun[]> {
      const byKey = new Map<string, KeptRun>()
      const keys = runs.flatMap(({ key }) => key ?? [])
      const [one] = runs
      if (one === undefined) return []
      if (keys.length > 0) {
        const { workspaceId, name } = one
        for (const run of await rows.find({ workspaceId, name, key: { $in: keys } }, { session, ...kept }).toArray()) {
          byKey.set(run.key ?? '', { id: run._id, state: run.state, dataHash: run.dataHash, isNew: false })
        }
      }
      const fresh: RunRow[] = []
      const answers = runs.map((run): KeptRun => {
        const there = run.key === undefined ? undefined : byKey.get(run.key)
        if (there !== undefined) return there
        fresh.push(run)
        const answer = { id: run._id, state: run.state, dataHash: run.dataHash, isNew: true }
        if (run.key !== undefined) byKey.set(run.key, { ...answer, isNew: false })
        return answer
      })
      if (fresh.length > 0) await rows.insertMany(fresh, { session, ordered: true })
      noteArrivals(fresh)
      return answers
    },

    /** Inserts runs whose keys cannot exist yet. */
    async insert (session: Session, runs: readonly RunRow[]): Promise<void> {
      if (runs.length > 0) await rows.insertMany([...runs], { session })
      noteArrivals(runs)
    },

    async find (workspaceId: string, id: string): Promise<RunRow | undefined> {
      return await rows.findOne({ _id: id, workspaceId }) ?? undefined
    },

    /** Those of one name that have one of these ids or keys. */
    async look (
      workspaceId: string, name: string, ids: readonly string[], keys: readonly string[]
    ): Promise<Array<Pick<RunRow, '_id' | 'key' | 'data' | 'state' | 'error'>>> {
      return await rows.find(
        { $or: [{ _id: { $in: [...ids] }, workspaceId, name }, { workspaceId, name, key: { $in: [...keys] } }] },
        { projection: { key: 1, data: 1, state: 1, error: 1 } }).toArray()
    },

    /** Those of the runs that have ended (P). */
    async ended (ids: readonly string[]): Promise<EndedRun[]> {
      return await rows.find<EndedRun>(
        { _id: { $in: [...ids] }, state: { $in: [...endStates] } },
        { projection: { name: 1, state: 1, progress: 1, error: 1 } }).toArray()
    },

    /** Whether nothing is live and nothing that is due waits, canaries apart (P: looks at all workspaces). */
    async isQuiet (now: Date): Promise<boolean> {
      // In this order: a run that moves on between two looks is met by the next one.
      for (const atWork of [{ state: 'pending' as const, runAt: { $lte: now } }, { isLive: true, ...everyQueue }]) {
        // A canary of a queue that nobody works on waits for ever.
        const one = await rows.findOne({ ...atWork, name: { $ne: canaryName } }, { projection: { _id: 1 } })
        if (one !== null) return false
      }
      return true
    }
  }
}
