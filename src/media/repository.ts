import type { ClientSession, Db, UpdateFilter } from 'mongodb'
import type { Clock } from '../kernel/index.ts'
import type { Reason } from './reasons.ts'

export type FileState = 'received' | 'ready' | 'rejected'

export interface Step { name: string, startedAt: Date, endedAt: Date }

export interface FileRow {
  _id: string
  workspaceId: string
  ownerId: string | null
  purpose: string
  state: FileState
  version: number
  name: string | null
  downloadId: string
  /** Where the bytes of the stranger lie until the file has ended. */
  incomingKey: string
  original: { bytes: number, sha256: string, type: string }
  /** Type, size and hash of the master. */
  type: string | null
  sizeBytes: number | null
  sha256: string | null
  blobKey: string | null
  width: number | null
  height: number | null
  frames: number | null
  placeholder: { thumbhash: string, dominantColor: string } | null
  perceptualHash: string | null
  reason: Reason | null
  scan: 'none'
  steps: Step[]
  createdAt: Date
  updatedAt: Date
}

/** An object that may be served, of a master or of a rendition. */
export interface StoredImage { storageKey: string, sha256: string, type: string, bytes: number }

interface BlobRow { _id: string, workspaceId: string, size: number, type: string, storageKey: string, createdAt: Date }
interface RenditionRow {
  _id: string
  workspaceId: string
  /** Of the master that it was made of. */
  hash: string
  preset: string
  storageKey: string
  sha256: string
  type: string
  width: number
  height: number
  bytes: number
  createdAt: Date
}

export interface Received {
  workspaceId: string
  fileId: string
  downloadId: string
  purpose: string
  name: string | null
  incomingKey: string
  original: FileRow['original']
}

export type Ready = Required<Pick<FileRow, 'type' | 'sizeBytes' | 'sha256' | 'width' | 'height' | 'frames' |
  'placeholder' | 'perceptualHash'>> & { master: StoredImage, thumb: StoredImage & { width: number, height: number } }

export type MediaRepository = ReturnType<typeof createMediaRepository>

export function createMediaRepository (db: Db, clock: Clock) {
  const files = db.collection<FileRow>('media.files')
  const blobs = db.collection<BlobRow>('media.blobs')
  const renditions = db.collection<RenditionRow>('media.renditions')

  async function end (session: ClientSession, file: FileRow, set: Partial<FileRow>): Promise<boolean> {
    const update: UpdateFilter<FileRow> = { $set: { ...set, updatedAt: clock.now() }, $inc: { version: 1 } }
    const filter = { _id: file._id, workspaceId: file.workspaceId, state: 'received' as const, version: file.version }
    const { matchedCount } = await files.updateOne(filter, update, { session })
    return matchedCount === 1
  }

  return {
    ...deliverySide(db),

    async find (workspaceId: string, fileId: string): Promise<FileRow | undefined> {
      return await files.findOne({ _id: fileId, workspaceId }) ?? undefined
    },

    async findReady (workspaceId: string, fileIds: readonly string[]): Promise<FileRow[]> {
      return await files.find({ _id: { $in: [...fileIds] }, workspaceId, state: 'ready' }).toArray()
    },

    /** Makes the file under the id that was drawn with the download; a repeat changes nothing. */
    async addReceived (session: ClientSession, { fileId, ...received }: Received): Promise<void> {
      const now = clock.now()
      const made = { ...blank, ...received, createdAt: now, updatedAt: now }
      await files.updateOne({ _id: fileId }, { $setOnInsert: made }, { session, upsert: true })
    },

    /** Ends the file as ready with its blob and thumbnail; false when it has ended before. */
    async markReady (
      session: ClientSession, file: FileRow, { master, thumb, ...facts }: Ready, recipe: string, steps: Step[]
    ): Promise<boolean> {
      const { workspaceId } = file
      const { sha256: hash } = master
      const blobKey = `${workspaceId}:${hash}`
      const createdAt = clock.now()
      if (!await end(session, file, { ...facts, state: 'ready', blobKey, steps })) return false
      const { storageKey, type, bytes: size } = master
      await blobs.updateOne({ _id: blobKey }, { $setOnInsert: { workspaceId, size, type, storageKey, createdAt } }, {
        session, upsert: true
      })
      await renditions.updateOne(
        { _id: `${blobKey}:${recipe}` },
        { $setOnInsert: { workspaceId, hash, preset: 'thumb', ...thumb, createdAt } },
        { session, upsert: true })
      return true
    },

    async markRejected (session: ClientSession, file: FileRow, reason: Reason, steps: Step[]): Promise<boolean> {
      return await end(session, file, { state: 'rejected', reason, steps })
    }
  }
}

const blank = {
  ownerId: null, state: 'received' as const, version: 1, type: null, sizeBytes: null, sha256: null, blobKey: null,
  width: null, height: null, frames: null, placeholder: null, perceptualHash: null, reason: null, scan: 'none' as const,
  steps: []
}

/** Only what belongs to a ready file is here: both collections are written when a file becomes ready. */
function deliverySide (db: Db) {
  const blobs = db.collection<BlobRow>('media.blobs')
  const renditions = db.collection<RenditionRow>('media.renditions')
  return {
    async findMaster (workspaceId: string, hash: string): Promise<StoredImage | undefined> {
      const row = await blobs.findOne({ _id: `${workspaceId}:${hash}`, workspaceId })
      if (row === null) return undefined
      return { storageKey: row.storageKey, sha256: hash, type: row.type, bytes: row.size }
    },

    async findRendition (workspaceId: string, hash: string, preset: string): Promise<StoredImage | undefined> {
      const row = await renditions.findOne({ workspaceId, hash, preset })
      if (row === null) return undefined
      return { storageKey: row.storageKey, sha256: row.sha256, type: row.type, bytes: row.bytes }
    }
  }
}
