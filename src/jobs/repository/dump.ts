import { BSON, type Binary, type ClientSession, type Db, type Document } from 'mongodb'

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
  /** Whether there was a collection of this name before the instant. */
  had (name: string): boolean
  /** Fails where one of them was dropped, renamed or replaced meanwhile: it may have been read as empty. */
  confirm (shapes: readonly CollectionShape[]): Promise<void>
  /** Batches of raw documents. Fails with the server's words where the instant is out of its window. */
  batches (shape: CollectionShape): AsyncGenerator<Uint8Array[]>
  /** The instant; undefined where the server does not name it. */
  clusterTime (): Date | undefined
}

const batchSize = 5000
const tooOld = 239
/** NamespaceNotFound, QueryPlanKilled, SnapshotUnavailable. */
const changed: ReadonlySet<unknown> = new Set([26, 175, 246])

class ShapeChanged extends Error {
  override readonly name = 'ShapeChanged'
}

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

  /** What each name stands for; a view has no identity of its own. */
  async function identities (): Promise<Map<string, string>> {
    const found = await db.listCollections().toArray() as Array<{ name: string, info?: { uuid?: Binary } }>
    return new Map(found.map(({ name, info }) => [name, info?.uuid?.toString('hex') ?? '']))
  }

  return {
    name: db.databaseName,

    /** All collections but those of the server that are wanted, in the order of their names. */
    async shapes (isWanted: (name: string) => boolean = () => true): Promise<CollectionShape[]> {
      const found = await db.listCollections().toArray()
      const ours = found.filter(({ name }) => !name.startsWith('system.') && isWanted(name))
      const shapes: CollectionShape[] = []
      for (const one of ours.toSorted((a, b) => a.name < b.name ? -1 : 1)) shapes.push(await shapeOf(one))
      return shapes
    },

    /** Documents as they are now. */
    now: (shape: CollectionShape) => read(shape),

    /** Everything that `work` reads is of one instant. */
    async atOnce<T> (work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
      const session = db.client.startSession({ snapshot: true })
      try {
        const before = await identities()
        // The first read of a session settles its instant.
        await db.collection('jobs.backups').findOne({}, { session, projection: { _id: 1 } })
        return await work({
          had: (name) => before.has(name),
          async confirm (shapes) {
            const now = await identities()
            const other = shapes.find(({ name }) => before.get(name) !== now.get(name))
            if (other !== undefined) throw new ShapeChanged(`${other.name} is another one than at the instant`)
          },
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

/** Whether a collection was made, changed or dropped after the instant: a new instant can be read. */
export function isShapeChanged (error: unknown): boolean {
  return error instanceof ShapeChanged || changed.has((error as { code?: unknown } | undefined)?.code)
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
