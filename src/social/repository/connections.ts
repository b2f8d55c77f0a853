import type { Binary, ClientSession, Db } from 'mongodb'
import type { ActorRef } from '../../kernel/index.ts'
import type { Platform } from '../schemas.ts'
import { bytesOf } from './secrets.ts'

export interface StoredConnection {
  id: string
  workspaceId: string
  platform: Platform
  instance: string
  stateHash: string
  /** The PKCE verifier, sealed; absent where the token was pasted. */
  verifier: Buffer | null
  redirectUri: string
  actor: ActorRef
  /** The account that is signed in again; null where a new one is connected. */
  reconnects: string | null
  returnTo: string
  state: 'pending' | 'connected' | 'failed'
  error: string | null
  accountId: string | null
  usedAt: Date | null
  version: number
  createdAt: Date
  updatedAt: Date
  expiresAt: Date
}

type Row = Omit<StoredConnection, 'id' | 'verifier'> & { _id: string, verifier: Binary | Buffer | null }

/** The registration of this installation as a client of one server, by redirect address. */
export interface StoredInstance {
  key: string
  clientId: string
  clientSecret: Buffer
  readAt: Date
}
type InstanceRow = Omit<StoredInstance, 'key' | 'clientSecret'> & { _id: string, clientSecret: Binary | Buffer }

export type ConnectionRepository = ReturnType<typeof createConnectionRepository>

export function createConnectionRepository (db: Db) {
  const rows = db.collection<Row>('social.connections')
  const instances = db.collection<InstanceRow>('social.instances')
  return {
    async add (session: ClientSession, { id, ...connection }: StoredConnection): Promise<void> {
      await rows.insertOne({ _id: id, ...connection }, { session })
    },

    async find (workspaceId: string, id: string): Promise<StoredConnection | undefined> {
      const row = await rows.findOne({ _id: id, workspaceId })
      return row === null ? undefined : toConnection(row)
    },

    /** Takes a state, once. A callback names no workspace: the state is its proof (P). */
    async take (platform: string, stateHash: string, now: Date): Promise<StoredConnection | undefined> {
      const row = await rows.findOneAndUpdate(
        { stateHash, platform: platform as Platform, usedAt: null, expiresAt: { $gt: now } },
        { $set: { usedAt: now, updatedAt: now }, $inc: { version: 1 } },
        { returnDocument: 'after' })
      return row === null ? undefined : toConnection(row)
    },

    async end (
      { workspaceId, id }: { workspaceId: string, id: string },
      end: Pick<StoredConnection, 'state' | 'error' | 'accountId'>, now: Date, session?: ClientSession
    ): Promise<void> {
      await rows.updateOne(
        { _id: id, workspaceId }, { $set: { ...end, updatedAt: now }, $inc: { version: 1 } },
        session === undefined ? {} : { session })
    },

    /** P: facts of the installation. */
    async findInstance (key: string): Promise<StoredInstance | undefined> {
      const row = await instances.findOne({ _id: key })
      return row === null ? undefined : toInstance(row)
    },

    /** Keeps the registration, or answers the one that was faster. */
    async addInstance (session: ClientSession, { key, ...instance }: StoredInstance): Promise<StoredInstance> {
      const row = await instances.findOneAndUpdate(
        { _id: key }, { $setOnInsert: instance }, { session, upsert: true, returnDocument: 'after' })
      if (row === null) throw new Error('an upsert answered nothing')
      return toInstance(row)
    }
  }
}

function toConnection ({ _id, verifier, ...row }: Row): StoredConnection {
  return { id: _id, verifier: verifier === null ? null : bytesOf(verifier), ...row }
}

function toInstance ({ _id, clientSecret, ...row }: InstanceRow): StoredInstance {
  return { key: _id, clientSecret: bytesOf(clientSecret), ...row }
}
