import type { Binary, ClientSession, Db } from 'mongodb'

interface SecretRow {
  _id: string
  workspaceId: string
  generation: number
  sealed: Binary | Buffer
  state: 'live' | 'dead'
  version: number
  createdAt: Date
  updatedAt: Date
}

export interface StoredSecret { workspaceId: string, accountId: string, generation: number, sealed: Buffer, at: Date }

export type SecretRepository = ReturnType<typeof createSecretRepository>

export function createSecretRepository (db: Db) {
  const rows = db.collection<SecretRow>('social.secrets')
  return {
    async find (workspaceId: string, accountId: string): Promise<StoredSecret | undefined> {
      const row = await rows.findOne({ _id: accountId, workspaceId, state: 'live' })
      if (row === null) return undefined
      const { generation, sealed, updatedAt: at } = row
      return { workspaceId, accountId, generation, sealed: bytesOf(sealed), at }
    },

    /** Generation 1 of an account. */
    async add (
      session: ClientSession, { workspaceId, accountId, generation, sealed, at }: StoredSecret
    ): Promise<void> {
      await rows.insertOne({
        _id: accountId, workspaceId, generation, sealed, state: 'live', version: 1, createdAt: at, updatedAt: at
      }, { session })
    },

    /** Compare-and-set on the generation before; false when somebody was faster. Makes a deleted secret anew. */
    async replace (
      session: ClientSession, { workspaceId, accountId, generation, sealed, at }: StoredSecret
    ): Promise<boolean> {
      const { matchedCount, upsertedCount } = await rows.updateOne(
        { _id: accountId, workspaceId, generation: generation - 1 },
        {
          $set: { generation, sealed, state: 'live', updatedAt: at },
          $inc: { version: 1 },
          $setOnInsert: { createdAt: at }
        },
        { session })
      return matchedCount + upsertedCount === 1
    },

    /** Of exactly this generation: a newer one stays. */
    async remove (session: ClientSession, workspaceId: string, accountId: string, generation: number): Promise<void> {
      await rows.deleteOne({ _id: accountId, workspaceId, generation }, { session })
    }
  }
}

/** The driver answers its own type for bytes. */
export function bytesOf (value: Binary | Buffer): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.value())
}
