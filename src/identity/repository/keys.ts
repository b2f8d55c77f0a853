import type { Db } from 'mongodb'

export interface DataKey { keyId: string, wrapped: Buffer, createdAt: Date }
export interface SigningKey extends DataKey { kid: string, serial: number, publicJwk: PublicJwk, activeAt: Date }
export interface PublicJwk { kty: string, crv: string, x: string }

type DataKeyRow = DataKey & { _id: string }
type SigningKeyRow = Omit<SigningKey, 'kid'> & { _id: string }

export type KeyRepository = ReturnType<typeof createKeyRepository>

/** Wrapped keys of the installation; platform-wide, the owner stands in the id. */
export function createKeyRepository (db: Db) {
  const options = { promoteBuffers: true }
  const dataKeys = db.collection<DataKeyRow>('identity.data_keys', options)
  const signingKeys = db.collection<SigningKeyRow>('identity.signing_keys', options)
  return {
    async findDataKey (owner: string): Promise<DataKey | undefined> {
      return await dataKeys.findOne({ _id: owner }) ?? undefined
    },

    /** The key of the owner: this one, or the one that was there first. */
    async addDataKey (owner: string, key: DataKey): Promise<DataKey> {
      return await firstWins(async () => await dataKeys.findOneAndUpdate(
        { _id: owner }, { $setOnInsert: key }, { upsert: true, returnDocument: 'after' }))
    },

    async signingKeys (): Promise<SigningKey[]> {
      const rows = await signingKeys.find({}).sort({ serial: -1 }).limit(16).toArray()
      return rows.map(({ _id, ...row }) => ({ ...row, kid: _id }))
    },

    /** Of several processes that make the key of one serial at once, one wins. */
    async addSigningKey ({ kid, ...key }: SigningKey): Promise<void> {
      await firstWins(async () => await signingKeys.findOneAndUpdate(
        { serial: key.serial }, { $setOnInsert: { _id: kid, ...key } }, { upsert: true, returnDocument: 'after' }))
    }
  }
}

/** Two racing upserts may collide on the unique index; outside a transaction the loser simply asks again. */
async function firstWins<T> (upsert: () => Promise<T | null>): Promise<T> {
  const row = await upsert().catch(async (error: { code?: number }) => {
    if (error.code !== 11000) throw error
    return await upsert()
  })
  if (row === null) throw new Error('an upsert answered nothing')
  return row
}
