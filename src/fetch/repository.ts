import type { AnyBulkWriteOperation, ClientSession, Db, Filter, UpdateFilter } from 'mongodb'
import type { Clock, CursorValues } from '../kernel/index.ts'
import { pieceSize } from './pieces.ts'
import type { DownloadState } from './schemas.ts'

export interface Expectation { sha256?: string, bytes?: number, type?: string }

/** What a host said about the version of a file: only equal ones may be joined. */
export interface Validators { etag: string | null, lastModified: string | null, length: number | null }

/** Where the part files lie and how far each is known to be on the disk. */
export interface PartMark { host: string, boot: string, lengths: number[] }

export interface DownloadRow {
  _id: string
  workspaceId: string
  url: string
  canonicalUrl: string
  purpose: string
  name: string | null
  lane: 'interactive' | 'default' | 'bulk'
  state: DownloadState
  isActive: boolean
  version: number
  total: number | null
  bytes: number
  rate: number | null
  etaMs: number | null
  restarts: number
  /** Why it started again the last time. */
  restartCode: string | null
  resumes: number
  expect: Expectation
  maxBytes: number | null
  /** Connections that the asker wants at most. */
  maxSegments: number | null
  /** Segments into which the file is divided. */
  segments: number
  pieceBytes: number
  /** Base64 of one bit for each piece: 1 = it is complete. */
  pieces: string
  /** CRC-32 by piece, hex (decision 0017); empty where it is not complete yet. */
  pieceHashes: string[]
  validators: Validators | null
  /** sha-256 of the whole file as the host announces it, hex. */
  announced: string | null
  isRanged: boolean
  part: PartMark | null
  sha256: string | null
  type: string | null
  fileId: string
  storageKey: string
  runId: string | null
  claim: string | null
  errorCode: string | null
  errorStatus: number | null
  createdAt: Date
  updatedAt: Date
  expireAt?: Date
}

/** Without what grows with the file. */
export type MovingRow = Omit<DownloadRow, 'pieces' | 'pieceHashes'>

export type NewRow = Pick<DownloadRow, '_id' | 'workspaceId' | 'url' | 'canonicalUrl' | 'purpose' | 'name' | 'lane' |
  'expect' | 'maxBytes' | 'maxSegments' | 'fileId' | 'storageKey'>

/** Fields that a transfer writes under its claim. */
export type RowChange = Partial<Pick<DownloadRow, 'state' | 'total' | 'rate' | 'etaMs' | 'restarts' | 'restartCode' |
  'segments' | 'pieceBytes' | 'pieces' | 'pieceHashes' | 'validators' | 'announced' | 'isRanged' | 'part' | 'type'>>

export type Ending = { state: 'done', sha256: string, bytes: number } |
  { state: 'failed', errorCode: string, errorStatus: number | null, bytes?: never }

/** How a transfer ends that nobody carries any more. */
export interface LostEnding { state: 'failed' | 'cancelled', errorCode: string }

export type DownloadRepository = ReturnType<typeof createDownloadRepository>

const keptMs = 30 * 86_400_000
const moving: DownloadState[] = ['queued', 'probing', 'downloading', 'verifying', 'storing']
/** Whether a transfer in this state waits for a start, or is at work. */
export function isMoving (state: DownloadState): boolean {
  return moving.includes(state)
}

/** A lost write of a step costs a repeat and nothing else. */
const light = { writeConcern: { w: 1 } } as const

const fresh = {
  state: 'queued' as const, isActive: true, version: 1, total: null, bytes: 0, rate: null, etaMs: null,
  restarts: 0, restartCode: null, resumes: 0, segments: 1, pieceBytes: pieceSize, pieces: '', pieceHashes: [],
  validators: null, announced: null, isRanged: false, part: null,
  sha256: null, type: null, runId: null, claim: null, errorCode: null, errorStatus: null
}

export function createDownloadRepository (db: Db, clock: Clock) {
  const rows = db.collection<DownloadRow>('fetch.downloads')

  function change (set: Partial<DownloadRow>, bytes?: number): UpdateFilter<DownloadRow> {
    return {
      $set: { ...set, updatedAt: clock.now() },
      $inc: { version: 1 },
      ...(bytes === undefined ? {} : { $max: { bytes } })
    }
  }

  function over () {
    return { isActive: false, claim: null, rate: null, etaMs: null, expireAt: new Date(clock.ms() + keptMs) }
  }

  return {
    ...readSide(db),

    /** Makes the rows that no active download of the same address stands for; answers one row each, in order. */
    async addMany (session: ClientSession, made: readonly NewRow[]): Promise<DownloadRow[]> {
      const now = clock.now()
      const { upsertedIds } = await rows.bulkWrite(made.map((row): AnyBulkWriteOperation<DownloadRow> => ({
        updateOne: {
          filter: { workspaceId: row.workspaceId, canonicalUrl: row.canonicalUrl, isActive: true },
          update: { $setOnInsert: insertOf(row, now) },
          upsert: true
        }
      })), { session })
      const others = made.filter((_row, index) => upsertedIds[index] === undefined)
      const known = others.length === 0 ? [] : await rows.find({ $or: others.map(activeFilter) }, { session }).toArray()
      return made.map((row, index) => {
        if (upsertedIds[index] !== undefined) return { ...fresh, ...row, createdAt: now, updatedAt: now }
        const found = known.find(({ workspaceId, canonicalUrl }) =>
          workspaceId === row.workspaceId && canonicalUrl === row.canonicalUrl)
        if (found === undefined) throw new Error('an upsert answered nothing')
        return found
      })
    },

    /** Takes the transfer for one start; undefined when it is paused or has ended. */
    async claim (workspaceId: string, id: string, claim: string, runId: string): Promise<DownloadRow | undefined> {
      return await rows.findOneAndUpdate(
        { _id: id, workspaceId, isActive: true, state: { $in: moving } },
        change({ claim, runId, state: 'probing', errorCode: null }),
        { returnDocument: 'after', ...light }) ?? undefined
    },

    /** Writes the changes one by one, so that each state is seen; false when another start has the transfer. */
    async write (row: Claimed, changes: readonly RowChange[], bytes?: number): Promise<boolean> {
      const filter = { _id: row._id, claim: row.claim }
      const updates = changes.map((set) => ({ updateOne: { filter, update: change(set, bytes) } }))
      const { matchedCount } = await rows.bulkWrite(updates, { ordered: true, ...light })
      return matchedCount === changes.length
    },

    /** Ends the transfer; false when another start has it. */
    async end (session: ClientSession, row: Claimed, { bytes, ...ending }: Ending): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: row._id, claim: row.claim }, change({ ...ending, ...over() }, bytes), { session })
      return matchedCount === 1
    },

    /** Ends a transfer whose run is no more; false when it has ended, is paused, or has got another run. */
    async endLost (session: ClientSession, row: MovingRow, ending: LostEnding): Promise<boolean> {
      const { _id, workspaceId, runId, resumes } = row
      const { matchedCount } = await rows.updateOne(
        { _id, workspaceId, runId, resumes, isActive: true, state: { $in: moving } },
        change({ ...ending, errorStatus: null, ...over() }), { session })
      return matchedCount === 1
    },

    /** How far the bytes of a paused transfer are on the disk; nobody has its claim. */
    async notePaused ({ _id, workspaceId }: DownloadRow, noted: RowChange): Promise<void> {
      await rows.updateOne({ _id, workspaceId, state: 'paused', claim: null }, { $set: noted }, light)
    },

    /** Moves a transfer by hand; undefined when it is not in one of those states. */
    async steer (
      session: ClientSession, workspaceId: string, id: string, from: readonly DownloadState[], to: DownloadState
    ): Promise<DownloadRow | undefined> {
      const ended = to === 'cancelled' ? over() : {}
      // Who resumes it adds another run.
      const anew = to === 'queued' ? { runId: null } : {}
      const update = change({ state: to, claim: null, rate: null, etaMs: null, ...ended, ...anew })
      return await rows.findOneAndUpdate(
        { _id: id, workspaceId, state: { $in: [...from] } },
        to === 'queued' ? { ...update, $inc: { version: 1, resumes: 1 } } : update,
        { session, returnDocument: 'after' }) ?? undefined
    }
  }
}

type Claimed = Pick<DownloadRow, '_id' | 'claim'>

function readSide (db: Db) {
  const rows = db.collection<DownloadRow>('fetch.downloads')
  return {
    async find (workspaceId: string, id: string): Promise<DownloadRow | undefined> {
      return await rows.findOne({ _id: id, workspaceId }) ?? undefined
    },

    /** Those of these ids that are there, in no order. */
    async findMany (workspaceId: string, ids: readonly string[]): Promise<DownloadRow[]> {
      return await rows.find({ workspaceId, _id: { $in: [...ids] } }).toArray()
    },

    /** Those of these ids that are on their way or paused, whoever asked for them; for what lies on the disk (P). */
    async active (ids: readonly string[]): Promise<DownloadRow[]> {
      return await rows.find({ _id: { $in: [...ids] }, isActive: true }).toArray()
    },

    /** Those that wait for a run or are at work in all workspaces (P), by their ids, a page behind `after`. */
    async moving (after: string, limit: number): Promise<MovingRow[]> {
      return await rows.find<MovingRow>(
        { isActive: true, _id: { $gt: after }, state: { $in: moving } },
        { projection: { pieces: 0, pieceHashes: 0 } }).sort({ _id: 1 }).limit(limit).toArray()
    },

    /** Newest first; one row more than asked. */
    async list (
      workspaceId: string, { state, after, limit }: { state?: DownloadState, after?: CursorValues, limit: number }
    ): Promise<DownloadRow[]> {
      const filter: Filter<DownloadRow> = { workspaceId, ...(state === undefined ? {} : { state }) }
      const [createdAt, id] = after ?? []
      if (createdAt !== undefined && createdAt !== null) {
        const at = new Date(createdAt)
        filter.$or = [{ createdAt: { $lt: at } }, { createdAt: at, _id: { $lt: String(id) } }]
      }
      return await rows.find(filter).sort({ createdAt: -1, _id: -1 }).limit(limit + 1).toArray()
    }
  }
}

function activeFilter ({ workspaceId, canonicalUrl }: NewRow): Filter<DownloadRow> {
  return { workspaceId, canonicalUrl, isActive: true }
}

/** The fields of the filter come in by the upsert itself. */
function insertOf ({ workspaceId, canonicalUrl, ...row }: NewRow, now: Date) {
  const { isActive, ...start } = fresh
  return { ...start, ...row, createdAt: now, updatedAt: now }
}
