import { createHash } from 'node:crypto'
import { Readable, Transform, pipeline } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { BackupStore } from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import {
  isBeyondWindow, isShapeChanged, type CollectionShape, type DumpRepository, type Snapshot
} from '../repository.ts'
import { createDigest, type Digest } from './digest.ts'
import { sealFrames } from './frames.ts'
import { placeOf, putManifest, type BackedUpCollection, type Manifest } from './manifest.ts'

/** Facts of machines and of the target: worthless, or wrong, at another time. */
const ofMachines = new Set(['jobs.workers', 'sys.processes', 'jobs.backups'])
/** Half the time of the default level, and some percent more bytes. */
const level = 3
const chunkBytes = 256 * 1024
const mostTries = 3

export interface WriterParts {
  dump: DumpRepository
  store: BackupStore
  key: Buffer
  codeVersion: string
}

export interface WriteOptions {
  id: string
  startedAt: Date
  signal: AbortSignal
  /** Called with the names of the parts before the first is written. */
  onParts: (parts: readonly string[]) => Promise<void>
  onCollection?: (done: number, total: number) => void
}

export interface Written { manifest: Manifest, bytes: number }

/**
 * Writes one instant of the database into the store, the manifest last.
 * Throws `jobs.backup_window` where the server forgot the instant meanwhile, `jobs.disk` where the target is full.
 */
export async function writeBackup (parts: WriterParts, options: WriteOptions): Promise<Written> {
  const { dump, store } = parts

  async function attempt (triesLeft: number): Promise<Written> {
    try {
      return await dump.atOnce(async (snapshot) => {
        // What is made after the instant is of no concern to this backup.
        const shapes = await dump.shapes((name) => isSaved(name, store) && snapshot.had(name))
        await options.onParts(shapes.filter(({ kind }) => kind !== 'view').map(({ name }) => partOf(name)))
        return await writeAll(parts, options, shapes, snapshot)
      })
    } catch (error) {
      if (isBeyondWindow(error)) throw JobsError.backup_window({}, { cause: error })
      // A collection that was changed, replaced or dropped since: a fresh instant can read what is there now.
      if (!isShapeChanged(error) || triesLeft === 0) throw error
      // A store may keep the first that it gets under a name: nothing of the other instant stays.
      await store.remove(options.id)
      return await attempt(triesLeft - 1)
    }
  }

  return await attempt(mostTries - 1)
}

function isSaved (name: string, { holds }: BackupStore): boolean {
  return !ofMachines.has(name) && !holds.includes(name) && !name.includes('.shadow-')
}

export function partOf (collection: string): string {
  return `${encodeURIComponent(collection)}.bson.gz.sealed`
}

async function writeAll (
  { store, key, codeVersion, dump }: WriterParts, { id, startedAt, signal, onCollection }: WriteOptions,
  shapes: readonly CollectionShape[], snapshot: Snapshot
): Promise<Written> {
  const collections: BackedUpCollection[] = []
  let bytes = 0
  for (const shape of shapes) {
    signal.throwIfAborted()
    const { entry, stored } = await writeCollection({ store, key, id, signal }, shape, snapshot)
    collections.push(entry)
    bytes += stored
    onCollection?.(collections.length, shapes.length)
  }
  await snapshot.confirm(shapes)
  const clusterTime = snapshot.clusterTime() ?? startedAt
  const manifest: Manifest = {
    format: 1,
    id,
    database: dump.name,
    codeVersion,
    startedAt: startedAt.toISOString(),
    clusterTime: clusterTime.toISOString(),
    collections
  }
  return { manifest, bytes: bytes + await putManifest(store, key, manifest) }
}

interface Target { store: BackupStore, key: Buffer, id: string, signal: AbortSignal }

async function writeCollection (
  { store, key, id, signal }: Target, shape: CollectionShape, snapshot: Snapshot
): Promise<{ entry: BackedUpCollection, stored: number }> {
  if (shape.kind === 'view') return { entry: { ...shape, count: 0, bytes: 0 }, stored: 0 }
  const part = partOf(shape.name)
  const digest = createDigest()
  const sha256 = createHash('sha256')
  const body = pipeline(
    Readable.from(joined(snapshot.batches(shape), digest, signal), { objectMode: false, highWaterMark: chunkBytes }),
    createGzip({ level, chunkSize: chunkBytes }),
    sealFrames(key, placeOf(id, part)),
    hashing(sha256),
    () => {})
  const stored = await store.put(id, part, body)
  const { count, bytes } = digest
  return { entry: { ...shape, part, count, bytes, sha256: sha256.digest('hex'), digest: digest.value() }, stored }
}

/** Documents end to end, as pieces that are worth a turn of the compressor. */
async function * joined (
  batches: AsyncIterable<Uint8Array[]>, digest: Digest, signal: AbortSignal
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) {
    signal.throwIfAborted()
    for (const document of batch) digest.add(document)
    yield Buffer.concat(batch)
  }
}

/** Lets bytes through and adds them to a hash. */
export function hashing (hash: { update: (bytes: Buffer) => unknown }): Transform {
  return new Transform({
    transform (piece: Buffer, _encoding, done) {
      hash.update(piece)
      done(null, piece)
    }
  })
}
