import { pipeline } from 'node:stream'
import { Readable } from 'node:stream'
import type { BackupStore } from '../../kernel/index.ts'
import { JobsError } from '../errors.ts'
import type { CollectionShape } from '../repository.ts'
import { openFrames, sealFrames } from './frames.ts'

export interface BackedUpCollection extends CollectionShape {
  /** Name of its part; a view has none. */
  part?: string
  count: number
  /** BSON bytes of the documents. */
  bytes: number
  /** Of the part as it is stored, hex. */
  sha256?: string
  /** Sum of the document hashes modulo 2^256, hex. */
  digest?: string
}

/** What a backup is: written last, encrypted like its parts. */
export interface Manifest {
  format: 1
  id: string
  database: string
  codeVersion: string
  startedAt: string
  /** The instant that every collection was read at. */
  clusterTime: string
  collections: BackedUpCollection[]
}

export const manifestPart = 'manifest'
const mostBytes = 64 * 1024 * 1024

export function placeOf (id: string, part: string): string {
  return `${id}/${part}`
}

export async function putManifest (store: BackupStore, key: Buffer, manifest: Manifest): Promise<number> {
  const { id } = manifest
  const body = pipeline(
    Readable.from([Buffer.from(JSON.stringify(manifest))]), sealFrames(key, placeOf(id, manifestPart)), () => {})
  return await store.put(id, manifestPart, body)
}

/** Throws `jobs.backup_not_found` where there is none, `jobs.backup_damaged` where it does not open. */
export async function readManifest (store: BackupStore, key: Buffer, id: string): Promise<Manifest> {
  const stored = await store.get(id, manifestPart)
  if (stored === null) throw JobsError.backup_not_found({ id })
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of pipeline(stored, openFrames(key, placeOf(id, manifestPart)), () => {})) {
    pieces.push(piece as Buffer)
    bytes += (piece as Buffer).length
    if (bytes > mostBytes) throw JobsError.backup_damaged({ id }, { detail: 'The manifest is too large.' })
  }
  return JSON.parse(Buffer.concat(pieces).toString()) as Manifest
}
