import { createHash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Binary, GridFSBucket, MongoServerError, ObjectId, type Collection, type Db } from 'mongodb'
import {
  StorageError, type Clock, type CollectionDefinition, type Storage, type StoredObject
} from '../../src/kernel/index.ts'

const bucketName = 'media.objects'
const chunkBytes = 512 * 1024
/** `OutOfDiskSpace`, as the server says it. */
const outOfDisk = 14031

interface FileRow {
  _id: ObjectId
  length: number
  chunkSize: number
  uploadDate: Date
  filename: string
  metadata: { key: string, type: string, sha256: string }
}

/**
 * Chunks wait for no majority of their own: the files document that follows does, and with it the log before it is
 * durable. Only a store that died in between can have lost them: where the driver saw a change, they are counted.
 */
const light = { writeConcern: { w: 1 } } as const

interface PutOptions { type: string, sha256?: string }

interface ChunkRow { _id: ObjectId, files_id: ObjectId, n: number, data: Binary }

/** Collections of the GridFS bucket; the unique key makes the first writer of an object win. */
export const storageCollections: readonly CollectionDefinition[] = [
  { name: `${bucketName}.files`, indexes: [{ name: 'key', keys: { 'metadata.key': 1 }, unique: true }] },
  { name: `${bucketName}.chunks`, indexes: [{ name: 'files_id_1_n_1', keys: { files_id: 1, n: 1 }, unique: true }] }
]

/** Stored bytes in GridFS (`media.md` 4.1). */
export function createGridFsStorage (db: Db, clock: Clock): Storage {
  const files = db.collection<FileRow>(`${bucketName}.files`)
  const chunks = db.collection<ChunkRow>(`${bucketName}.chunks`)
  const bucket = new GridFSBucket(db, { bucketName, chunkSizeBytes: chunkBytes })
  // A store that died and came back, or another one that took over, is a change that the driver tells.
  let changes = 0
  db.client.on('serverDescriptionChanged', () => { changes++ })

  async function find (key: string): Promise<FileRow | null> {
    return await files.findOne({ 'metadata.key': key })
  }

  async function isWhole ({ _id, length, chunkSize }: FileRow): Promise<boolean> {
    return await chunks.countDocuments({ files_id: _id }) === Math.ceil(length / chunkSize)
  }

  /** Writes the files document last: before it nobody can read a byte. Throws `storage.bytes_lost`. */
  async function publish (row: FileRow, since: number): Promise<StoredObject> {
    try {
      await files.insertOne(row)
    } catch (error) {
      if (!(error instanceof MongoServerError && error.code === 11000)) throw error
      return await yieldTo(row, since)
    }
    // The same store took the chunks before it, and made them durable with this document.
    if (changes === since || await isWhole(row)) return toObject(row)
    await files.deleteOne({ _id: row._id })
    throw StorageError.bytes_lost({ key: row.metadata.key })
  }

  /** Somebody else has the key: their object stands, unless a store that died kept only its name. */
  async function yieldTo (row: FileRow, since: number): Promise<StoredObject> {
    const winner = await find(row.metadata.key)
    if (winner !== null && await isWhole(winner)) {
      await chunks.deleteMany({ files_id: row._id })
      return toObject(winner)
    }
    if (winner !== null) await files.deleteOne({ _id: winner._id })
    return await publish(row, since)
  }

  /** One chunk needs no cursor. */
  async function readOne (id: ObjectId, start: number, end: number): Promise<Readable> {
    const chunk = await chunks.findOne({ files_id: id, n: 0 })
    if (chunk === null) throw StorageError.bytes_lost()
    return Readable.from([Buffer.from(chunk.data.buffer).subarray(start, end + 1)], { objectMode: false })
  }

  async function write (key: string, body: Readable | Buffer, type: string): Promise<FileRow> {
    const id = new ObjectId()
    try {
      const { length, sha256 } = await pour(chunks, id, body)
      const metadata = { key, type, sha256 }
      return { _id: id, length, chunkSize: chunkBytes, uploadDate: clock.now(), filename: key, metadata }
    } catch (error) {
      await chunks.deleteMany({ files_id: id })
      throw error
    }
  }

  async function put (key: string, body: Readable | Buffer, { type, sha256 }: PutOptions): Promise<StoredObject> {
    // A small object is written faster than it is looked up; the unique key finds the repeat.
    const known = body instanceof Readable ? await find(key) : null
    if (known !== null) {
      (body as Readable).destroy()
      return toObject(known)
    }
    const since = changes
    const row = await write(key, body, type)
    if (sha256 === undefined || sha256 === row.metadata.sha256) return await publish(row, since)
    await chunks.deleteMany({ files_id: row._id })
    throw new Error(`storage: the bytes of ${key} are not the ones announced`)
  }

  return {
    async put (key, body, options) {
      try {
        return await put(key, body, options)
      } catch (error) {
        throw isFull(error) ? StorageError.full({}, { cause: error }) : error
      }
    },

    async get (key, { range } = {}) {
      const row = await find(key)
      if (row === null) return null
      if (row.length === 0) return Readable.from([])
      const { start = 0, end = row.length - 1 } = range ?? {}
      if (start >= row.length || start > end) return Readable.from([])
      if (row.length <= chunkBytes) return await readOne(row._id, start, end)
      return bucket.openDownloadStream(row._id, { start, end: Math.min(end + 1, row.length) })
    },

    async head (key) {
      const row = await find(key)
      return row === null ? null : toObject(row)
    },

    async delete (key) {
      const row = await files.findOneAndDelete({ 'metadata.key': key }, light)
      if (row !== null) await chunks.deleteMany({ files_id: row._id }, light)
    }
  }
}

function isFull (error: unknown): boolean {
  return error instanceof MongoServerError && error.code === outOfDisk
}

function toObject ({ length, metadata }: FileRow): StoredObject {
  return { key: metadata.key, bytes: length, type: metadata.type, sha256: metadata.sha256 }
}

/** Writes the chunks one after another, so that at most two of them are held. */
async function pour (
  chunks: Collection<ChunkRow>, id: ObjectId, body: Readable | Buffer
): Promise<{ length: number, sha256: string }> {
  const hash = createHash('sha256')
  let length = 0
  let n = 0
  const add = async (piece: Buffer) => {
    hash.update(piece)
    length += piece.length
    await chunks.insertOne({ _id: new ObjectId(), files_id: id, n: n++, data: new Binary(piece) }, light)
  }
  if (body instanceof Readable) {
    await pipeline(body, regroup(), async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) await add(piece)
    })
  } else {
    for (const piece of slices(body)) await add(piece)
  }
  return { length, sha256: hash.digest('hex') }
}

function * slices (body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += chunkBytes) yield body.subarray(at, at + chunkBytes)
}

/** Pieces of exactly one chunk, the last one shorter. */
function regroup (): Transform {
  let held: Buffer[] = []
  let bytes = 0
  return new Transform({
    readableObjectMode: true,
    readableHighWaterMark: 1,
    transform (piece: Buffer, _encoding, done) {
      held.push(piece)
      bytes += piece.length
      if (bytes >= chunkBytes) {
        const all = Buffer.concat(held)
        let at = 0
        for (; at + chunkBytes <= all.length; at += chunkBytes) this.push(all.subarray(at, at + chunkBytes))
        held = at < all.length ? [all.subarray(at)] : []
        bytes = all.length - at
      }
      done()
    },
    flush (done) {
      if (bytes > 0) this.push(Buffer.concat(held))
      done()
    }
  })
}
