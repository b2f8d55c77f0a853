import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'

export type BackupState = 'written' | 'proven' | 'failed'

/** A document of `jobs.backups` (P). */
export interface BackupRow {
  _id: string
  /** Failed from its first moment, until it is written whole. */
  state: BackupState
  startedAt: Date
  endedAt?: Date
  clusterTime?: Date
  /** As stored. */
  bytes: number
  collections: Array<{ name: string, count: number, bytes: number }>
  /** Names of what lies in the store; empty once it was removed. */
  parts: string[]
  provenAt?: Date
  /** Age of the data when it was proven: what would have been lost. */
  rpoS?: number
  /** How long the restore took. */
  rtoS?: number
  error?: { code: string, message: string }
}

export interface Proof { provenAt: Date, rpoS: number, rtoS: number }

const mostRows = 1000

export type BackupRepository = ReturnType<typeof createBackupRepository>

/** The list of backups (P: facts of the installation). */
export function createBackupRepository (db: Db) {
  const rows = db.collection<BackupRow>('jobs.backups')
  return {
    async begin (id: string, startedAt: Date, parts: readonly string[]): Promise<void> {
      await rows.insertOne({
        _id: id, state: 'failed', startedAt, bytes: 0, collections: [], parts: [...parts],
        error: { code: 'unfinished', message: 'The backup was not finished.' }
      })
    },

    async setParts (id: string, parts: readonly string[]): Promise<void> {
      await rows.updateOne({ _id: id }, { $set: { parts: [...parts] } })
    },

    async setWritten (
      session: Session, id: string,
      written: Required<Pick<BackupRow, 'endedAt' | 'clusterTime' | 'bytes' | 'collections'>>
    ): Promise<void> {
      await rows.updateOne(
        { _id: id, state: 'failed' }, { $set: { ...written, state: 'written' }, $unset: { error: true } }, { session })
    },

    async setProven (session: Session, id: string, proof: Proof): Promise<void> {
      await rows.updateOne({ _id: id }, { $set: { ...proof, state: 'proven' }, $unset: { error: true } }, { session })
    },

    async setFailed (session: Session, id: string, error: NonNullable<BackupRow['error']>, now: Date): Promise<void> {
      await rows.updateOne({ _id: id }, { $set: { state: 'failed', endedAt: now, error } }, { session })
    },

    /** What the store has and this list does not: a backup of the time before a restore. */
    async adopt (row: BackupRow): Promise<void> {
      await rows.updateOne({ _id: row._id }, { $setOnInsert: withoutId(row) }, { upsert: true })
    },

    async find (id: string): Promise<BackupRow | undefined> {
      return await rows.findOne({ _id: id }) ?? undefined
    },

    /** The newest that was written whole and has not failed. */
    async newest (): Promise<BackupRow | undefined> {
      const [row] = await rows.find({ state: { $in: ['written', 'proven'] } })
        .sort({ startedAt: -1 }).limit(1).toArray()
      return row
    },

    /** Newest first. */
    async list ({ limit, before }: { limit: number, before?: string }): Promise<BackupRow[]> {
      return await rows.find(before === undefined ? {} : { _id: { $lt: before } })
        .sort({ _id: -1 }).limit(limit).toArray()
    },

    /** Those that have something in the store. */
    async stored (): Promise<BackupRow[]> {
      return await rows.find({ parts: { $ne: [] } }).sort({ _id: -1 }).limit(mostRows).toArray()
    },

    /** Its parts are gone: a failed one is remembered, another leaves the list. */
    async forget (id: string): Promise<void> {
      await rows.updateOne({ _id: id, state: 'failed' }, { $set: { parts: [] } })
      await rows.deleteOne({ _id: id, state: { $in: ['written', 'proven'] } })
    },

    async forgetFailed (before: Date): Promise<void> {
      await rows.deleteMany({ state: 'failed', startedAt: { $lt: before }, parts: [] })
    }
  }
}

function withoutId ({ _id, ...rest }: BackupRow): Omit<BackupRow, '_id'> {
  return rest
}
