import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'

export interface UserRecord {
  id: string
  email: string
  /** The folded address: unique, what an address is compared by. */
  emailKey: string
  displayName: string
  locale: string
  zone: string
  kind: 'person'
  status: 'active' | 'suspended'
  emailVerifiedAt: Date | null
  pv: number
  pvChangedAt: Date
  createdAt: Date
}

export interface PasswordRecord { phc: string, pepper: string, changedAt: Date, isOneTime: boolean }

type UserRow = Omit<UserRecord, 'id'> & { _id: string }
interface CredentialsRow { _id: string, password?: PasswordRecord }

export type UserRepository = ReturnType<typeof createUserRepository>

export function createUserRepository (db: Db) {
  const users = db.collection<UserRow>('identity.users')
  const credentials = db.collection<CredentialsRow>('identity.credentials')
  return {
    async find (userId: string): Promise<UserRecord | undefined> {
      const row = await users.findOne({ _id: userId })
      return row === null ? undefined : toUser(row)
    },

    async findByEmail (emailKey: string): Promise<UserRecord | undefined> {
      const row = await users.findOne({ emailKey })
      return row === null ? undefined : toUser(row)
    },

    async findMany (userIds: readonly string[]): Promise<UserRecord[]> {
      return (await users.find({ _id: { $in: [...userIds] } }).toArray()).map(toUser)
    },

    async isEmpty (): Promise<boolean> {
      return await users.findOne({}, { projection: { _id: 1 } }) === null
    },

    /** False where somebody has the address already; then nothing is written. */
    async add (session: Session, { id, emailKey, ...user }: UserRecord): Promise<boolean> {
      const { upsertedCount } = await users.updateOne(
        { emailKey }, { $setOnInsert: { _id: id, ...user } }, { session, upsert: true })
      return upsertedCount === 1
    },

    async changeEmail (session: Session, userId: string, email: string, emailKey: string): Promise<void> {
      await users.updateOne({ _id: userId }, { $set: { email, emailKey } }, { session })
    },

    /** Permission versions that rose at or after `since`; platform-wide, for the repair of Redis. */
    async versionsSince (since: Date): Promise<Array<{ userId: string, pv: number }>> {
      const rows = await users.find({ pvChangedAt: { $gte: since } }, { projection: { pv: 1 } }).toArray()
      return rows.map(({ _id, pv }) => ({ userId: _id, pv }))
    },

    async password (userId: string): Promise<PasswordRecord | undefined> {
      return (await credentials.findOne({ _id: userId }))?.password
    },

    async setPassword (session: Session, userId: string, password: PasswordRecord): Promise<void> {
      await credentials.updateOne({ _id: userId }, { $set: { password } }, { session, upsert: true })
    },

    /** Writes the same password under stronger parameters, unless it was changed meanwhile. */
    async rehash (userId: string, old: string, phc: string, pepper: string): Promise<void> {
      await credentials.updateOne(
        { _id: userId, 'password.phc': old }, { $set: { 'password.phc': phc, 'password.pepper': pepper } })
    }
  }
}

function toUser ({ _id, ...row }: UserRow): UserRecord {
  return { id: _id, ...row }
}
