import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DownloadQuota, EventBus, JobContext, SafeFetch, Storage, StoredObject } from '../kernel/index.ts'
import { isDomainError } from '../kernel/index.ts'
import type { DiskOf } from './disk.ts'
import { Superseded, settle } from './ending.ts'
import { downloadCompleted } from './events.ts'
import type { Flow } from './flow.ts'
import { createJournal, type Journal } from './journal.ts'
import { openParts, type Parts } from './parts.ts'
import { layOut } from './pieces.ts'
import { makeRoom, receive, type Start } from './receive.ts'
import type { DownloadRepository, DownloadRow, RowChange } from './repository.ts'
import type { Slots } from './slots.ts'
import { mend, verify } from './verify.ts'

export interface TransferOptions {
  downloads: DownloadRepository
  fetch: Pick<SafeFetch, 'stream'>
  events: EventBus
  quota: DownloadQuota
  flow: Flow
  slots: Slots
  disk: DiskOf
  scratchDir: string
  /** This machine, and this boot of it. */
  host: string
  boot: string
  /** Connections of a large file, where the asker does not say. */
  segments: number
}

export type DownloadData = { workspaceId: string, downloadId: string, host: string }
type Context = Pick<JobContext<DownloadData>, 'run' | 'attempt' | 'signal' | 'progress' | 'commit' | 'log' | 'wait'>

const inMemoryBytes = 4 * 1024 * 1024
/** When a place at the host may be free. */
const fullMs = 5000
/** How often a place at the host is claimed anew, in beats of the journal. */
const beatsPerTake = 5

export type Downloader = (ctx: Context, storage: Storage) => Promise<void>

/** The folder of part files below the scratch folder. */
export function partsFolder (scratchDir: string): string {
  return join(scratchDir, 'parts')
}

/** Carries one download from where it stands to storage (`jobs.md` 4.12). */
export function createDownloader (options: TransferOptions): Downloader {
  const { downloads, slots } = options
  const folder = partsFolder(options.scratchDir)
  let made: Promise<unknown> | undefined
  return async (ctx, storage) => {
    const { workspaceId, downloadId, host } = ctx.run.data
    await (made ??= mkdir(folder, { recursive: true, mode: 0o700 }))
    if (!await slots.take(host, downloadId)) ctx.wait(fullMs)
    try {
      const row = await downloads.claim(workspaceId, downloadId, randomUUID(), ctx.run.id)
      if (row !== undefined) await carry(options, ctx, storage, row)
    } finally {
      await slots.free(host, downloadId)
    }
  }
}

async function carry (options: TransferOptions, ctx: Context, storage: Storage, row: DownloadRow): Promise<void> {
  const parts = await openOwnParts(options, row)
  const journal = openJournal(options, ctx, row, parts)
  let isDone = false
  const start: Start = { ...options, row, parts, journal, admit: options.flow.open(row.workspaceId), log: ctx.log }
  try {
    await transfer(start, options, ctx, storage)
    await parts.remove()
    isDone = true
  } catch (error) {
    if (!await settle(options, ctx, row, error)) throw error
    if (!(error instanceof Superseded) || await isOver(options, start)) await parts.remove()
  } finally {
    journal.close()
    const closing = parts.close()
    // The disk takes its time to let go of a large file that nobody needs any more.
    if (isDone) closing.catch(() => {})
    else await closing
  }
}

/** What is durable of the parts on this machine; those of another one are of no use here. */
async function openOwnParts ({ host, boot, scratchDir }: TransferOptions, row: DownloadRow): Promise<Parts> {
  const { part: mark, pieceHashes, segments, total, _id: id } = row
  const isOwn = mark?.host === host
  const layout = layOut(isOwn ? total : null, segments)
  const lengths = layout.spans.map((_span, index) => durableOf(mark, { host, boot }, index))
  return await openParts({ folder: partsFolder(scratchDir), id }, layout, { hashes: isOwn ? pieceHashes : [], lengths })
}

function durableOf (mark: DownloadRow['part'], here: { host: string, boot: string }, index: number): number {
  if (mark?.host !== here.host) return 0
  return mark.boot === here.boot ? Infinity : mark.lengths[index] ?? 0
}

function openJournal (options: TransferOptions, ctx: Context, row: DownloadRow, parts: Parts): Journal {
  const { downloads, slots, host, boot } = options
  let beats = 0
  return createJournal({
    downloads,
    row,
    parts,
    host,
    boot,
    signal: ctx.signal,
    onProgress (done, total) { ctx.progress({ done, ...(total === null ? {} : { total }), unit: 'bytes' }) },
    onBeat () {
      // A place that lapses lets one file too many in, for as long as this store does not answer.
      if (++beats % beatsPerTake === 0) slots.take(ctx.run.data.host, row._id).catch(() => {})
    },
    onNote: async () => { await makeRoom({ ...options, row, parts }) }
  })
}

/** Whether a transfer that was taken away has ended; of a paused one the document learns how far it came. */
async function isOver ({ downloads, host, boot }: TransferOptions, { row, parts, journal }: Start): Promise<boolean> {
  const now = await downloads.find(row.workspaceId, row._id)
  if (now?.isActive !== true) return true
  const lengths = parts.files.map(({ written }) => written)
  if (now.state === 'paused') await downloads.notePaused(row, { part: { host, boot, lengths }, ...journal.pieces() })
  return false
}

async function transfer (
  start: Start, { downloads, events }: TransferOptions, ctx: Context, storage: Storage
): Promise<void> {
  const { row, parts, journal } = start
  await receive(start)
  await parts.finish()
  const bytes = parts.length
  const { sha256, telling } = await establish(start)
  const type = row.expect.type ?? row.type ?? 'application/octet-stream'
  // A big file is not sent on for somebody who has paused it meanwhile.
  if (bytes > inMemoryBytes) await telling
  await Promise.all([telling, store(start, storage, { sha256, type })])
  journal.close()
  const { _id: downloadId, fileId, purpose, storageKey, workspaceId, name } = row
  await ctx.commit(async (session) => {
    if (!await downloads.end(session, row, { state: 'done', sha256, bytes })) throw new Superseded()
    await events.emit(session, downloadCompleted, {
      downloadId, fileId, purpose, storageKey, bytes, sha256, type, ...(name === null ? {} : { name })
    }, { type: 'download', id: downloadId }, { workspaceId })
  })
}

/** Tells the last states and answers the hash of the file. */
async function establish (start: Start): Promise<{ sha256: string, telling: Promise<void> }> {
  const { parts, journal } = start
  const verifying: RowChange = { state: 'verifying', ...journal.pieces() }
  const isKnown = parts.files.length === 1
  if (!isKnown) await journal.write([verifying], parts.length)
  const rest = isKnown ? [verifying] : []
  try {
    const sha256 = await verify(start)
    // Both states in one round trip where the hash is known already; each write is seen by itself.
    const telling = journal.write([...rest, { state: 'storing' }], parts.length)
    telling.catch(() => {})
    return { sha256, telling }
  } catch (error) {
    if (isKnown) await journal.write([verifying], parts.length)
    throw error
  }
}

interface Kept { sha256: string, type: string }

/** Moves the bytes to storage under the key of the download; a repeat finds them there. */
async function store (start: Start, storage: Storage, kept: Kept): Promise<void> {
  const { row: { storageKey } } = start
  const stored = await put(start, storage, kept).catch(async (error: unknown) => {
    // What the disk gives may no longer be what came.
    if (isDomainError(error) || start.journal.signal.aborted || !await mend(start)) throw error
    return await put(start, storage, kept)
  })
  if (stored.sha256 === kept.sha256) return
  await storage.delete(storageKey)
  await put(start, storage, kept)
}

async function put ({ parts, row }: Start, storage: Storage, kept: Kept): Promise<StoredObject> {
  const body = parts.length <= inMemoryBytes ? Buffer.concat(await parts.read().toArray() as Buffer[]) : parts.read()
  return await storage.put(row.storageKey, body, kept)
}
