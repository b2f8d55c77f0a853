import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'

export const revocationReasons = ['logout', 'ended-by-user', 'limit', 'reuse', 'password', 'not-opened'] as const
export type RevocationReason = typeof revocationReasons[number]

export interface SessionRecord {
  id: string
  userId: string
  workspaceId: string
  client: 'web' | 'native'
  deviceName: string | null
  ip: string | null
  userAgent: string | null
  createdAt: Date
  lastSeenAt: Date
  /** Refresh counter; Redis is ahead of it between two durable writes. */
  n: number
  gen: number
  amr: string[]
  /** Seconds since the epoch. */
  authTime: number
  mustChangePassword: boolean
  revokedAt: Date | null
  reason: RevocationReason | null
}

type SessionRow = Omit<SessionRecord, 'id'> & { _id: string }

export type SessionRepository = ReturnType<typeof createSessionRepository>

export function createSessionRepository (db: Db) {
  const sessions = db.collection<SessionRow>('identity.sessions')
  return {
    async add (session: Session, { id, ...row }: SessionRecord): Promise<void> {
      await sessions.insertOne({ _id: id, ...row }, { session })
    },

    async find (userId: string, id: string): Promise<SessionRecord | undefined> {
      const row = await sessions.findOne({ _id: id, userId })
      return row === null ? undefined : toSession(row)
    },

    /** Sessions of one person that were not revoked, the newest first. */
    async live (userId: string, since: Date): Promise<SessionRecord[]> {
      const rows = await sessions.find({ userId, createdAt: { $gt: since }, revokedAt: null })
        .sort({ createdAt: -1 }).limit(200).toArray()
      return rows.map(toSession)
    },

    async isKnown (userId: string): Promise<boolean> {
      return await sessions.findOne({ userId }, { projection: { _id: 1 } }) !== null
    },

    /** False where it is unknown or was revoked before. */
    async revoke (session: Session, userId: string, id: string, reason: RevocationReason, at: Date): Promise<boolean> {
      const { modifiedCount } = await sessions.updateOne(
        { _id: id, userId, revokedAt: null }, { $set: { revokedAt: at, reason } }, { session })
      return modifiedCount === 1
    },

    /** Raises the generation; undefined where the session has ended. */
    async raiseGeneration (session: Session, userId: string, id: string): Promise<number | undefined> {
      const row = await sessions.findOneAndUpdate(
        { _id: id, userId, revokedAt: null },
        { $inc: { gen: 1 }, $set: { mustChangePassword: false } },
        { session, returnDocument: 'after', projection: { gen: 1 } })
      return row?.gen
    },

    async setWorkspace (userId: string, id: string, workspaceId: string): Promise<boolean> {
      const { matchedCount } = await sessions.updateOne(
        { _id: id, userId, revokedAt: null }, { $set: { workspaceId } })
      return matchedCount === 1
    },

    /** The durable part of a touch; never backwards. */
    async touch (userId: string, id: string, lastSeenAt: Date, n: number): Promise<void> {
      await sessions.updateOne({ _id: id, userId }, { $max: { lastSeenAt, n } })
    },

    /** Revocations at or after `since`; platform-wide, for the repair of Redis. */
    async revokedSince (since: Date): Promise<Array<{ id: string, userId: string }>> {
      const rows = await sessions.find({ revokedAt: { $gte: since } }, { projection: { userId: 1 } }).toArray()
      return rows.map(({ _id, userId }) => ({ id: _id, userId }))
    }
  }
}

function toSession ({ _id, ...row }: SessionRow): SessionRecord {
  return { id: _id, ...row }
}
