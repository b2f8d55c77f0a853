import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { isDomainError, type BackupStore } from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import type { CollectionShape, DumpRepository, RestoreRepository } from '../repository.ts'
import { createDigest } from './digest.ts'
import { openFrames } from './frames.ts'
import { placeOf, type BackedUpCollection, type Manifest } from './manifest.ts'
import { hashing } from './writer.ts'

/** Whoever asks for the schema of this version finds none before everything is back. */
const last = 'sys.meta'
const leastDocument = 5
const mostDocument = 16 * 1024 * 1024 + 64 * 1024
const mostFindings = 50

export interface RestoreParts {
  store: BackupStore
  key: Buffer
  signal: AbortSignal
  onCollection?: (name: string, count: number) => void
}

/** Ordered so that a restore that was cut is never served. */
export function inOrder (manifest: Manifest): BackedUpCollection[] {
  const rank = ({ name, kind }: BackedUpCollection): number => name === last ? 2 : kind === 'view' ? 1 : 0
  return manifest.collections.toSorted((a, b) => rank(a) - rank(b))
}

/**
 * Brings documents and lasting indexes of a backup into an empty database; every part is checked against the manifest
 * on its way. Throws `jobs.backup_damaged`.
 */
export async function restoreInto (
  target: RestoreRepository, manifest: Manifest, parts: RestoreParts
): Promise<void> {
  for (const entry of inOrder(manifest)) {
    parts.signal.throwIfAborted()
    await target.create(entry)
    if (entry.kind === 'view') continue
    await target.insert(entry.name, checkedDocuments(manifest.id, entry, parts))
    await target.index(entry, 'lasting')
    parts.onCollection?.(entry.name, entry.count)
  }
}

/** Reads the parts as a restore does, and writes nothing. Throws `jobs.backup_damaged`. */
export async function checkParts (manifest: Manifest, parts: RestoreParts): Promise<void> {
  for (const entry of inOrder(manifest)) {
    if (entry.kind === 'view') continue
    for await (const document of checkedDocuments(manifest.id, entry, parts)) void document
  }
}

/** What takes documents away again by their age comes when everything was compared. */
export async function indexExpiring (target: RestoreRepository, manifest: Manifest): Promise<void> {
  for (const entry of manifest.collections) if (entry.kind !== 'view') await target.index(entry, 'expiring')
}

async function * checkedDocuments (
  id: string, entry: BackedUpCollection, { store, key, signal }: RestoreParts
): AsyncGenerator<Uint8Array> {
  const { name, part = '' } = entry
  const stored = await store.get(id, part)
  if (stored === null) throw JobsError.backup_damaged({ id }, { detail: `${name}: its part is missing` })
  const sha256 = createHash('sha256')
  const digest = createDigest()
  const bytes = pipeline(stored, hashing(sha256), openFrames(key, placeOf(id, part)), createGunzip(), () => {})
  try {
    for await (const document of split(bytes as AsyncIterable<Buffer>, name)) {
      signal.throwIfAborted()
      digest.add(document)
      yield document
    }
  } catch (error) {
    throw asDamage(error, name)
  }
  const found = { count: digest.count, bytes: digest.bytes, digest: digest.value(), sha256: sha256.digest('hex') }
  for (const what of ['count', 'bytes', 'digest', 'sha256'] as const) {
    if (found[what] !== entry[what]) {
      throw JobsError.backup_damaged({ id }, { detail: `${name}: ${what} is not the one of the manifest` })
    }
  }
}

function asDamage (error: unknown, name: string): unknown {
  const code = String((error as { code?: unknown }).code)
  if (isDomainError(error) || !(code.startsWith('Z_') || code === 'ERR_BUFFER_OUT_OF_BOUNDS')) return error
  return JobsError.backup_damaged({}, { detail: `${name}: it does not unpack`, cause: error })
}

/** Cuts a stream of documents end to end. */
async function * split (pieces: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of pieces) {
    let held = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    while (held.length >= 4) {
      const bytes = held.readInt32LE()
      if (bytes < leastDocument || bytes > mostDocument) {
        throw JobsError.backup_damaged({}, { detail: `${name}: a document has no length` })
      }
      if (held.length < bytes) break
      yield held.subarray(0, bytes)
      held = held.subarray(bytes)
    }
    rest = held
  }
  if (rest.length > 0) throw JobsError.backup_damaged({}, { detail: `${name}: it ends inside a document` })
}

/** Compares a database with the manifest, document by document; a sentence for each thing that differs. */
export async function compareData (database: DumpRepository, manifest: Manifest): Promise<string[]> {
  const findings: string[] = []
  const there = new Map((await database.shapes()).map((shape) => [shape.name, shape]))
  for (const entry of manifest.collections) {
    const shape = there.get(entry.name)
    if (shape === undefined) findings.push(`${entry.name} is missing`)
    else if (entry.kind !== 'view') findings.push(...await compareDocuments(database, shape, entry))
    if (findings.length >= mostFindings) break
  }
  return findings
}

async function compareDocuments (
  database: DumpRepository, shape: CollectionShape, entry: BackedUpCollection
): Promise<string[]> {
  const digest = createDigest()
  for await (const batch of database.now(shape)) for (const document of batch) digest.add(document)
  if (digest.count !== entry.count) return [`${entry.name} has ${digest.count} documents, not ${entry.count}`]
  return digest.value() === entry.digest ? [] : [`${entry.name} has other documents`]
}

/** Compares options and indexes, when all of them are built. */
export async function compareShapes (database: DumpRepository, manifest: Manifest): Promise<string[]> {
  const there = new Map((await database.shapes()).map((shape) => [shape.name, shape]))
  return manifest.collections.flatMap((entry) => {
    const shape = there.get(entry.name)
    if (shape === undefined) return [`${entry.name} is missing`]
    return (['options', 'indexes'] as const)
      .filter((what) => JSON.stringify(shape[what]) !== JSON.stringify(entry[what]))
      .map((what) => `${entry.name} has other ${what}`)
  }).slice(0, mostFindings)
}
