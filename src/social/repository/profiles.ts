import type { ClientSession, Db } from 'mongodb'
import type { Counts, Profile } from '../schemas.ts'

interface ProfileRow extends Profile {
  _id: string
  workspaceId: string
  counts: Partial<Counts>
  remoteHash: string
  /** The newest local day that has a snapshot. */
  snapshotDay: string
  version: number
  createdAt: Date
  updatedAt: Date
}

interface SnapshotRow {
  _id: string
  workspaceId: string
  accountId: string
  day: string
  profile: Profile
  counts: Partial<Counts>
  changed: ReadonlyArray<{ field: string, from: unknown, to: unknown }>
  version: number
  createdAt: Date
  updatedAt: Date
}

export type StoredProfile = Profile & { remoteHash: string, snapshotDay: string }

export interface Reading { metric: string, value: number }

interface PointRow { meta: { workspaceId: string, accountId: string, metric: string }, at: Date, value: number }

export type ProfileRepository = ReturnType<typeof createProfileRepository>

export function createProfileRepository (db: Db) {
  const rows = db.collection<ProfileRow>('social.profiles')
  const snapshots = db.collection<SnapshotRow>('social.snapshots')
  const points = db.collection<PointRow>('social.points')
  return {
    async find (workspaceId: string, accountId: string): Promise<StoredProfile | undefined> {
      return await rows.findOne({ _id: accountId, workspaceId }, {
        projection: { _id: 0, workspaceId: 0, counts: 0, version: 0, createdAt: 0, updatedAt: 0 }
      }) ?? undefined
    },

    async save (
      session: ClientSession, { workspaceId, accountId }: { workspaceId: string, accountId: string },
      { profile, counts, remoteHash, snapshotDay, now }: {
        profile: Profile, counts: Partial<Counts>, remoteHash: string, snapshotDay: string, now: Date
      }
    ): Promise<void> {
      await rows.updateOne(
        { _id: accountId, workspaceId },
        {
          $set: { ...profile, counts, remoteHash, snapshotDay, updatedAt: now },
          $inc: { version: 1 },
          $setOnInsert: { createdAt: now }
        },
        { session, upsert: true })
    },

    /** One per local day: the first keeps the profile, what changed later in the day is added. */
    async addSnapshot (
      session: ClientSession, { id, day, now, ...snapshot }:
      Pick<SnapshotRow, 'workspaceId' | 'accountId' | 'profile' | 'counts' | 'changed'> &
      { id: string, day: string, now: Date }
    ): Promise<void> {
      const { workspaceId, accountId, changed, ...rest } = snapshot
      await snapshots.updateOne(
        { workspaceId, accountId, day },
        {
          $setOnInsert: { _id: id, ...rest, version: 1, createdAt: now },
          $set: { updatedAt: now },
          $push: { changed: { $each: [...changed], $slice: -100 } }
        },
        { session, upsert: true })
    },

    /** Readings of an instant, never increments. After the commit: time-series refuse inserts in a transaction. */
    async addPoints (
      meta: { workspaceId: string, accountId: string }, readings: readonly Reading[], at: Date
    ): Promise<void> {
      if (readings.length === 0) return
      await points.insertMany(readings.map(({ metric, value }) => ({ meta: { ...meta, metric }, at, value })))
    }
  }
}
