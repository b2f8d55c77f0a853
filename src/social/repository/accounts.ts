import type { ClientSession, Collection, Db } from 'mongodb'
import type {
  Counts, Evidence, HealthState, Limit, MediaPolicy, Platform, Profile, Sync, SyncPolicy
} from '../schemas.ts'

export interface StoredHealth { state: HealthState, since: Date, evidence: Evidence[] }

export interface AccountRow {
  _id: string
  workspaceId: string
  platform: Platform
  instance: string
  remoteId: string
  handle: string
  kind: string
  label: string
  zone: string
  scopes: string[]
  health: StoredHealth
  profile: Profile
  sync: Sync
  counts: Counts
  limits: Limit[]
  syncPolicy: SyncPolicy
  mediaPolicy: MediaPolicy
  secretGeneration: number
  /** The run that is asked for or at work; the second of two is refused while it lives. */
  activeRunId: string | null
  nextSyncAt: Date | null
  lastSuccessAt: Date | null
  version: number
  createdAt: Date
  updatedAt: Date
}

export interface StoredAccount extends Omit<AccountRow, '_id'> { id: string }

/** What a page, a probe or the end of a run changes of an account. */
export interface AccountChange {
  set: Partial<Omit<AccountRow, '_id' | 'workspaceId' | 'version' | 'counts'>>
  counts?: Partial<Counts>
}

export interface AccountGuard { version?: number, secretGeneration?: number, healthState?: HealthState }

export type AccountRepository = ReturnType<typeof createAccountRepository>

export function createAccountRepository (db: Db) {
  const rows = db.collection<AccountRow>('social.accounts')
  return { ...reading(rows), ...writing(rows) }
}

function reading (rows: Collection<AccountRow>) {
  return {
    async find (workspaceId: string, id: string, session?: ClientSession): Promise<StoredAccount | undefined> {
      const row = await rows.findOne({ _id: id, workspaceId }, session === undefined ? {} : { session })
      return row === null ? undefined : toAccount(row)
    },

    /** Accounts by id, one more than `limit`. */
    async list (
      workspaceId: string,
      { platform, health, q, after, limit }: {
        platform?: readonly string[], health?: readonly string[], q?: string, after?: string, limit: number
      }
    ): Promise<StoredAccount[]> {
      const found = await rows.find({
        workspaceId,
        ...(after === undefined ? {} : { _id: { $gt: after } }),
        ...(platform === undefined ? {} : { platform: { $in: platform as Platform[] } }),
        ...(health === undefined ? {} : { 'health.state': { $in: health as HealthState[] } }),
        ...(q === undefined ? {} : { handle: { $regex: escapePattern(q), $options: 'i' } })
      }).sort({ workspaceId: 1, _id: 1 }).limit(limit + 1).toArray()
      return found.map(toAccount)
    },

    async findRemote (
      workspaceId: string, { platform, instance, remoteId }: Pick<AccountRow, 'platform' | 'instance' | 'remoteId'>
    ): Promise<StoredAccount | undefined> {
      const row = await rows.findOne({ workspaceId, platform, instance, remoteId })
      return row === null ? undefined : toAccount(row)
    }
  }
}

function writing (rows: Collection<AccountRow>) {
  return {
    /** Adds the account, or answers the one that has this remote id already. */
    async add (session: ClientSession, { id, ...account }: StoredAccount): Promise<StoredAccount> {
      const { workspaceId, platform, instance, remoteId, ...rest } = account
      const row = await rows.findOneAndUpdate(
        { workspaceId, platform, instance, remoteId },
        { $setOnInsert: { _id: id, ...rest } },
        { session, upsert: true, returnDocument: 'after' })
      if (row === null) throw new Error('an upsert answered nothing')
      return toAccount(row)
    },

    /** Changes the account and raises its version; undefined where it is not as `guard` says. */
    async change (
      session: ClientSession, { workspaceId, id }: { workspaceId: string, id: string },
      { set, counts = {} }: AccountChange, { healthState, ...guard }: AccountGuard = {}
    ): Promise<StoredAccount | undefined> {
      const flat = Object.fromEntries(Object.entries(counts).map(([key, value]) => [`counts.${key}`, value]))
      const row = await rows.findOneAndUpdate(
        { _id: id, workspaceId, ...guard, ...(healthState === undefined ? {} : { 'health.state': healthState }) },
        { $set: { ...set, ...flat }, $inc: { version: 1 } },
        { session, returnDocument: 'after' })
      return row === null ? undefined : toAccount(row)
    }
  }
}

function toAccount ({ _id, ...row }: AccountRow): StoredAccount {
  return { id: _id, ...row }
}

function escapePattern (text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
