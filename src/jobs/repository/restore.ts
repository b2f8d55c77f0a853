import { createRequire } from 'node:module'
import { BSON, type Db, type Document } from 'mongodb'
import type { CollectionShape } from './dump.ts'

interface Sequence { push (document: object, bytes: Uint8Array): number }

// The driver has no door for documents that are BSON already: decoding and encoding them again would change numbers
// and the order of numeric names. Its own bulk writes use this class; its version is pinned, and the tests compare
// every byte.
const { DocumentSequence } = createRequire(import.meta.url)('mongodb/lib/cmap/commands.js') as {
  DocumentSequence: new (field: string) => Sequence
}

const batchBytes = 8 * 1024 * 1024
const batchDocuments = 20_000
const strangerWord = /^[A-Za-z0-9_-]+$/

export type RestoreRepository = ReturnType<typeof createRestoreRepository>

/** Writing of whole databases, byte for byte (P). */
export function createRestoreRepository (db: Db) {
  async function insert (name: string, documents: readonly Uint8Array[]): Promise<void> {
    const sequence = new DocumentSequence('documents')
    for (const document of documents) sequence.push({}, document)
    const answer = await db.command({
      insert: name, documents: sequence, ordered: false, bypassDocumentValidation: true,
      writeConcern: { w: 'majority' }
    })
    const [refused] = (answer['writeErrors'] ?? []) as Array<{ errmsg: string }>
    if (refused !== undefined) throw new Error(`${name} refused a document: ${refused.errmsg}`)
  }

  return {
    name: db.databaseName,

    async isEmpty (): Promise<boolean> {
      return (await db.listCollections({}, { nameOnly: true }).toArray()).length === 0
    },

    /** The collection, without anything that would take documents away again. */
    async create ({ name, options }: CollectionShape): Promise<void> {
      const { expireAfterSeconds: _later, ...rest } = asBson(options)
      await db.createCollection(name, rest)
    },

    async insert (name: string, documents: AsyncIterable<Uint8Array>): Promise<void> {
      let held: Uint8Array[] = []
      let bytes = 0
      for await (const document of documents) {
        held.push(document)
        bytes += document.length
        if (bytes < batchBytes && held.length < batchDocuments) continue
        await insert(name, held)
        held = []
        bytes = 0
      }
      if (held.length > 0) await insert(name, held)
    },

    /** Its indexes: those that take nothing away, or those by which documents end, and what the collection says. */
    async index ({ name, options, indexes }: CollectionShape, which: 'lasting' | 'expiring'): Promise<void> {
      const wanted = indexes.map(asBson)
        .filter((index) => index['name'] !== '_id_' && index['clustered'] !== true)
        .filter((index) => (index['expireAfterSeconds'] !== undefined) === (which === 'expiring'))
      if (wanted.length > 0) await db.command({ createIndexes: name, indexes: wanted })
      const expiry = asBson(options)['expireAfterSeconds'] as unknown
      if (which === 'expiring' && expiry !== undefined) await db.command({ collMod: name, expireAfterSeconds: expiry })
    },

    async drop (): Promise<void> {
      await db.dropDatabase({ writeConcern: { w: 'majority' } })
    },

    async dropCollection (name: string): Promise<void> {
      await db.collection(name).drop()
    },

    /** Another database of the same server. */
    beside (name: string): Db {
      if (!strangerWord.test(name)) throw new Error(`not a name of a database: ${name}`)
      return db.client.db(name)
    },

    /** Databases of the server whose names begin so. */
    async namesFrom (prefix: string): Promise<string[]> {
      const { databases } = await db.admin().listDatabases({ nameOnly: true })
      return databases.map(({ name }) => name).filter((name) => name.startsWith(prefix))
    },

    /** A keeper of the old time must not believe that this Redis has what it published. */
    async forgetRedis (): Promise<void> {
      await db.collection('jobs.leases').updateMany({}, { $unset: { epoch: true } })
    }
  }
}

function asBson (value: Record<string, unknown>): Document {
  return BSON.EJSON.deserialize(value as Document, { relaxed: false }) as Document
}
