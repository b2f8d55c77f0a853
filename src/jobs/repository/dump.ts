import { BSON, type ClientSession, type Db, type Document } from 'mongodb'

export type CollectionKind = 'collection' | 'timeseries' | 'view'

/** What a collection is, without its documents; options and indexes as extended JSON. */
export interface CollectionShape {
  name: string
  kind: CollectionKind
  options: Record<string, unknown>
  indexes: Array<Record<string, unknown>>
}

/** One instant of a database, as it is read. */
export interface Snapshot {
  /** Batches of raw documents. Fails with the server's words where the instant is out of its window. */
  batches (shape: CollectionShape): AsyncGenerator<Uint8Array[]>
  /** The instant; undefined before the first read. */
  clusterTime (): Date | undefined
}

const batchSize = 5000
const tooOld = 239
const isUnavailable = 246

export type DumpRepository = ReturnType<typeof createDumpRepository>

/** Reading of whole databases, byte for byte (P). */
export function createDumpRepository (db: Db) {
  async function shapeOf ({ name, type, options = {} }: Document): Promise<CollectionShape> {
    const kind = (type ?? 'collection') as CollectionKind
    const indexes = kind === 'view' ? [] : await db.collection(String(name)).listIndexes().toArray()
    return {
      name: String(name),
      kind,
      options: asJson(options as Document),
      indexes: indexes.map(asJson).map(({ ns: _ns, ...index }) => index)
        .toSorted((a, b) => String(a['name']) < String(b['name']) ? -1 : 1)
    }
  }

  function read (shape: CollectionShape, session?: ClientSession): AsyncGenerator<Uint8Array[]> {
    return batchesOf(db, shape, session)
  }

  return {
    name: db.databaseName,

    /** All collections but those of the server, in the order of their names. */
    async shapes (): Promise<CollectionShape[]> {
      const found = await db.listCollections().toArray()
      const ours = found.filter(({ name }) => !name.startsWith('system.')).toSorted((a, b) => a.name < b.name ? -1 : 1)
      const shapes: CollectionShape[] = []
      for (const one of ours) shapes.push(await shapeOf(one))
      return shapes
    },

    /** Documents as they are now. */
    now: (shape: CollectionShape) => read(shape),

    /** Everything that `work` reads is of one instant. */
    async atOnce<T> (work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
      const session = db.client.startSession({ snapshot: true })
      try {
        return await work({
          batches: (shape) => read(shape, session),
          clusterTime () {
            // The driver keeps the instant of the session, and names it nowhere in its types.
            const { snapshotTime } = session as unknown as { snapshotTime?: { t: number } }
            return snapshotTime === undefined ? undefined : new Date(snapshotTime.t * 1000)
          }
        })
      } finally {
        await session.endSession()
      }
    }
  }
}

/** Whether the server no longer has the instant that was read. */
export function isBeyondWindow (error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === tooOld
}

/** Whether a collection was made or changed after the instant: a new one can be read. */
export function isShapeChanged (error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === isUnavailable
}

async function * batchesOf (db: Db, shape: CollectionShape, session?: ClientSession): AsyncGenerator<Uint8Array[]> {
  const cursor = db.collection(shape.name).find({}, { raw: true, batchSize, ...(session && { session }) })
  try {
    while (await cursor.hasNext()) {
      const batch = cursor.readBufferedDocuments() as unknown as Uint8Array[]
      yield shape.kind === 'timeseries' ? batch.map(sortFields) : batch
    }
  } finally {
    await cursor.close()
  }
}

/** Fields in the order of their names: a bucket of a time series does not keep the order they came in. */
function sortFields (document: Uint8Array): Uint8Array {
  const elements = [...BSON.onDemand.parseToElements(document)].map(([, nameAt, nameBytes, at, bytes]) => ({
    name: Buffer.from(document.subarray(nameAt, nameAt + nameBytes)).toString('latin1'),
    bytes: document.subarray(nameAt - 1, at + bytes)
  }))
  elements.sort((a, b) => a.name < b.name ? -1 : 1)
  return Buffer.concat([
    document.subarray(0, 4), ...elements.map((element) => element.bytes), document.subarray(-1)
  ])
}

function asJson (value: Document): Record<string, unknown> {
  return BSON.EJSON.serialize(value, { relaxed: false }) as Record<string, unknown>
}
