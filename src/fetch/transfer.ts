import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type { EventBus, JobContext, SafeFetch, Storage } from '../kernel/index.ts'
import { Superseded, settle } from './ending.ts'
import { FetchError } from './errors.ts'
import { downloadCompleted } from './events.ts'
import { createPace } from './pace.ts'
import { openPart, type PartFile } from './part-file.ts'
import type { DownloadRepository, DownloadRow, RowChange } from './repository.ts'
import { isBreak, openRest, openWhole, probe, type Source } from './source.ts'

export interface TransferOptions {
  downloads: DownloadRepository
  fetch: Pick<SafeFetch, 'stream'>
  events: EventBus
  scratchDir: string
  /** This machine, and this boot of it. */
  host: string
  boot: string
}

export type DownloadData = { workspaceId: string, downloadId: string, host: string }
type Context = Pick<JobContext<DownloadData>, 'run' | 'attempt' | 'signal' | 'progress' | 'commit' | 'log'>

/** Everything that one start of a transfer has in its hands. */
interface Start {
  options: TransferOptions
  storage: Storage
  ctx: Context
  row: DownloadRow
  part: PartFile
  /** Writes states and facts under the claim; throws `Superseded` when another start has the transfer. */
  write: (changes: readonly RowChange[], bytes?: number) => Promise<void>
}

const syncBytes = 64 * 1024 * 1024
const inMemoryBytes = 4 * 1024 * 1024
const breaksInARow = 3
const freeShare = 0.1

export type Downloader = (ctx: Context, storage: Storage) => Promise<void>

/** Carries one download from where it stands to storage (`jobs.md` 4.12). */
export function createDownloader (options: TransferOptions): Downloader {
  const { downloads } = options
  const folder = join(options.scratchDir, 'parts')
  let made: Promise<unknown> | undefined
  return async (ctx, storage) => {
    const { workspaceId, downloadId } = ctx.run.data
    const row = await downloads.claim(workspaceId, downloadId, randomUUID(), ctx.run.id)
    if (row === undefined) return
    const path = join(folder, row._id)
    await (made ??= mkdir(folder, { recursive: true, mode: 0o700 }))
    const part = await openOwnPart(options, row, path)
    const write: Start['write'] = async (changes, bytes) => {
      if (!await downloads.write(row, changes, bytes)) throw new Superseded()
    }
    try {
      await transfer({ options, storage, ctx, row, part, write })
      await unlink(path)
    } catch (error) {
      if (!await settle(options, ctx, row, error)) throw error
      if (!(error instanceof Superseded)) await unlink(path)
    } finally {
      await part.close()
    }
  }
}

/** What is durable of the part on this machine; a part of another one is of no use here. */
async function openOwnPart ({ host, boot }: TransferOptions, row: DownloadRow, path: string) {
  const { part: mark, pieceBytes, pieceHashes: noted } = row
  const isOwn = mark?.host === host
  const durable = isOwn ? (mark.boot === boot ? Infinity : mark.bytes) : 0
  return await openPart(path, { pieceBytes, noted: isOwn ? noted : [], durable })
}

async function transfer (start: Start): Promise<void> {
  const { row, part, options: { downloads, events }, ctx, storage, write } = start
  const announced = await receive(start)
  const bytes = part.length
  const sha256 = part.digest()
  const wrong = wrongOf(row, { bytes, sha256, announced })
  // Both states in one round trip: the hashes are known already, and each write is seen by itself.
  const verifying: RowChange = { state: 'verifying', pieceHashes: [...part.pieces] }
  const telling = write(wrong === undefined ? [verifying, { state: 'storing' }] : [verifying], bytes)
  // A big file is not sent on for somebody who has paused it meanwhile.
  if (wrong !== undefined || bytes > inMemoryBytes) await telling
  if (wrong !== undefined) throw wrong
  const type = row.expect.type ?? row.type ?? 'application/octet-stream'
  await Promise.all([telling, store(start, storage, { sha256, type })])
  const { _id: downloadId, fileId, purpose, storageKey, workspaceId, name } = row
  await ctx.commit(async (session) => {
    if (!await downloads.end(session, row, { state: 'done', sha256, bytes })) throw new Superseded()
    await events.emit(session, downloadCompleted, {
      downloadId, fileId, purpose, storageKey, bytes, sha256, type, ...(name === null ? {} : { name })
    }, { type: 'download', id: downloadId }, { workspaceId })
  })
}

/** Brings every byte into the part file; answers the hash that the host announced. */
async function receive (start: Start): Promise<string | null> {
  const { part, ctx: { signal } } = start
  let first = await begin(start)
  let breaks = 0
  for (;;) {
    const before = part.length
    try {
      return await draw(start, first)
    } catch (error) {
      first = undefined
      breaks = part.length > before ? 1 : breaks + 1
      await note(start)
      if (signal.aborted || !isBreak(error) || breaks > breaksInARow) throw error
      await wait(100 * breaks, undefined, { signal })
    }
  }
}

/** One answer of the host to its end. */
async function draw (start: Start, first: Source | undefined): Promise<string | null> {
  const source = first ?? await goOn(start)
  try {
    await pump(start, source)
  } finally {
    source.body.destroy()
  }
  const { row, part } = start
  if (row.total !== null && part.length < row.total) {
    throw FetchError.connect_failed({}, { detail: 'The answer ended early.' })
  }
  return source.announced
}

/** First words with the host, unless the part can go on: what the file is, and perhaps already its bytes. */
async function begin (start: Start): Promise<Source | undefined> {
  const { row, part, options: { fetch }, ctx: { signal }, write } = start
  if (part.length > 0 && row.isRanged && row.validators !== null) {
    await write([{ state: 'downloading' }])
    return undefined
  }
  const found = await probe(fetch, row.canonicalUrl, signal)
  try {
    judge(start, found.total)
    const isAgain = part.length > 0 || row.bytes > 0
    await part.empty()
    learn(row, found)
    row.isRanged = found.isRanged
    row.restarts += isAgain ? 1 : 0
    await write([{ state: 'downloading', ...factsOf(start), isRanged: row.isRanged, restarts: row.restarts }])
  } catch (error) {
    found.body?.destroy()
    throw error
  }
  return found.body === null ? undefined : { ...found, body: found.body }
}

/** The next source of bytes: the rest of the same version, or the whole anew. */
async function goOn (start: Start): Promise<Source> {
  const { row, part, options: { fetch }, ctx: { signal }, write } = start
  const { canonicalUrl: url, validators } = row
  if (part.length > 0 && part.length === row.total) return nothingMore(row)
  if (part.length > 0 && row.isRanged && validators !== null) {
    const rest = await openRest(fetch, url, { offset: part.length, validators }, signal)
    if (rest !== undefined) return rest
  }
  const isAgain = part.length > 0
  const source = await openWhole(fetch, url, signal)
  try {
    judge(start, source.total)
    learn(row, source)
    if (isAgain) {
      start.ctx.log.info({ downloadId: row._id }, 'the file changed or cannot be resumed: starting again')
      await part.empty()
      row.restarts++
      await write([{ ...factsOf(start), restarts: row.restarts, pieceHashes: [] }])
    }
  } catch (error) {
    source.body.destroy()
    throw error
  }
  return source
}

function nothingMore ({ total }: DownloadRow): Source {
  const validators = { etag: null, lastModified: null, length: null }
  return { offset: total ?? 0, body: Readable.from([]), validators, total, type: null, announced: null }
}

function learn (row: DownloadRow, { total, type, validators }: Pick<Source, 'total' | 'type' | 'validators'>): void {
  row.total = total
  row.type = type
  row.validators = validators
}

function factsOf ({ row, options: { host, boot } }: Start): RowChange {
  const { total, type, validators } = row
  return { total, type, validators, part: { host, boot, bytes: 0 } }
}

/** Refuses by size before a byte is kept. */
function judge ({ row: { expect, maxBytes } }: Start, total: number | null): void {
  if (total === null) return
  if (maxBytes !== null && total > maxBytes) throw FetchError.too_large()
  if (expect.bytes !== undefined && total !== expect.bytes) {
    throw FetchError.checksum({}, { detail: 'The file does not have the expected size.' })
  }
}

async function pump (start: Start, source: Source): Promise<void> {
  const { row, part, options, ctx } = start
  await checkDisk(options.scratchDir)
  const pace = createPace(row.total)
  let synced = part.length
  for await (const bytes of source.body as AsyncIterable<Buffer>) {
    ctx.signal.throwIfAborted()
    await part.append(bytes)
    if (part.length > (row.maxBytes ?? Infinity)) throw FetchError.too_large()
    if (row.total !== null && part.length > row.total) throw FetchError.checksum()
    if (part.length - synced >= syncBytes) {
      synced = part.length
      await note(start)
    }
    const tick = pace(part.length)
    if (tick === undefined) continue
    ctx.progress({ done: part.length, ...(row.total === null ? {} : { total: row.total }), unit: 'bytes' })
    await start.write([tick.isRich ? { ...tick.change, pieceHashes: [...part.pieces] } : tick.change], part.length)
  }
}

/** What is on the disk is on the disk: noted at every cut, and now and then. */
async function note ({ part, write, options: { host, boot } }: Start): Promise<void> {
  await part.sync()
  await write([{ part: { host, boot, bytes: part.length }, pieceHashes: [...part.pieces] }], part.length)
}

async function checkDisk (folder: string): Promise<void> {
  const { bavail, blocks } = await statfs(folder)
  if (bavail < blocks * freeShare) throw FetchError.disk()
}

interface Truth { bytes: number, sha256: string, announced: string | null }

function wrongOf ({ expect }: DownloadRow, { bytes, sha256, announced }: Truth): Error | undefined {
  const isWrong = (expect.bytes !== undefined && expect.bytes !== bytes) ||
    (expect.sha256 !== undefined && expect.sha256 !== sha256) ||
    (announced !== null && announced !== sha256)
  return isWrong ? FetchError.checksum() : undefined
}

/** Moves the bytes to storage under the key of the download; a repeat finds them there. */
async function store (start: Start, storage: Storage, options: { sha256: string, type: string }): Promise<void> {
  const { row: { storageKey, _id }, part, options: { scratchDir } } = start
  const body = async () => part.length <= inMemoryBytes
    ? await part.read()
    : createReadStream(join(scratchDir, 'parts', _id))
  const stored = await storage.put(storageKey, await body(), options)
  if (stored.sha256 === options.sha256) return
  await storage.delete(storageKey)
  await storage.put(storageKey, await body(), options)
}
