// Brings every byte of a file into its part files (`jobs.md` 4.12).
import { setTimeout as wait } from 'node:timers/promises'
import type { DownloadQuota, JobContext, SafeFetch } from '../kernel/index.ts'
import { checkDisk, type DiskOf } from './disk.ts'
import { FetchError } from './errors.ts'
import type { Admit } from './flow.ts'
import type { Journal } from './journal.ts'
import type { PartFile } from './part-file.ts'
import type { Parts } from './parts.ts'
import { layOut } from './pieces.ts'
import type { DownloadRow, RowChange } from './repository.ts'
import { isBreak, isUnmeasured, openRest, openWhole, probe, type Probe, type Source } from './source.ts'

/** Everything that one start of a transfer has in its hands. */
export interface Start {
  fetch: Pick<SafeFetch, 'stream'>
  row: DownloadRow
  parts: Parts
  journal: Journal
  admit: Admit
  quota: DownloadQuota
  disk: DiskOf
  scratchDir: string
  /** This machine, and this boot of it. */
  host: string
  boot: string
  /** Connections of a large file, where the asker does not say. */
  segments: number
  log: JobContext['log']
}

type Reason = 'changed' | 'not_resumable'

/** The bytes that are there belong to another version, or cannot be gone on with. */
class CleanRestart extends Error {
  override readonly name = 'CleanRestart'
  readonly reason: Reason

  constructor (reason: Reason) {
    super(`a clean restart: ${reason}`)
    this.reason = reason
  }
}

const breaksInARow = 3
const restartsInAStart = 3
/** A connection that brought less has not got on. */
const headway = 64 * 1024
/** Of a file whose size nobody knows, so much is asked of quota and disk at a time. */
const aheadBytes = 64 * 1024 * 1024

/** Throws `changed` or `not_resumable` where the host lets no attempt come to an end, and what the host answers. */
export async function receive (start: Start): Promise<void> {
  let first = await begin(start)
  for (let restarts = 1; ; restarts++) {
    try {
      await draw(start, first)
      return
    } catch (error) {
      if (!(error instanceof CleanRestart)) throw error
      if (restarts > restartsInAStart) throw FetchError[error.reason]({}, { cause: error })
      start.log.info({ downloadId: start.row._id, reason: error.reason }, 'the download starts again')
      first = await beginAnew(start, error.reason)
    }
  }
}

/** First words with the host, unless the part can go on: what the file is, and perhaps already its bytes. */
async function begin (start: Start): Promise<Source | undefined> {
  const { row, parts, journal } = start
  if (parts.length > 0 && row.isRanged && row.validators !== null) {
    await makeRoom(start)
    await journal.write([{ state: 'downloading' }])
    return undefined
  }
  return await beginAnew(start, parts.length > 0 || row.bytes > 0 ? 'not_resumable' : undefined)
}

async function beginAnew (start: Start, reason: Reason | undefined): Promise<Source | undefined> {
  const { row, parts, journal, fetch } = start
  const found = await probe(fetch, row.canonicalUrl, journal.signal)
  try {
    row.isRanged = found.isRanged
    learn(row, found)
    await judge(start)
    await parts.reset(layOut(row.total, found.isRanged ? row.maxSegments ?? start.segments : 1))
    if (reason !== undefined) row.restarts++
    const again: RowChange = reason === undefined
      ? {}
      : { restarts: row.restarts, restartCode: FetchError[reason].definition.code, ...journal.pieces() }
    await journal.write([{ state: 'downloading', ...factsOf(start), ...again }])
  } catch (error) {
    found.body?.destroy()
    throw error
  }
  return asSource(found)
}

function asSource ({ body, ...found }: Probe): Source | undefined {
  return body === null ? undefined : { ...found, body }
}

function learn (row: DownloadRow, { total, type, validators, announced }: Omit<Source, 'body'>): void {
  row.total = total
  row.type = type
  row.validators = validators
  row.announced = announced
}

function factsOf ({ row, parts, host, boot }: Start): RowChange {
  const { total, type, validators, announced, isRanged } = row
  const { pieceBytes, spans } = parts.layout
  const lengths = spans.map(() => 0)
  return {
    total, type, validators, announced, isRanged, pieceBytes, segments: spans.length, part: { host, boot, lengths }
  }
}

/** Refuses by size and type before a byte is kept. Throws `too_large`, `checksum`, `type_mismatch`, `quota`, `disk`. */
async function judge (start: Start): Promise<void> {
  const { expect, maxBytes, total, type } = start.row
  if (total !== null && maxBytes !== null && total > maxBytes) throw FetchError.too_large()
  if (total !== null && expect.bytes !== undefined && total !== expect.bytes) {
    throw FetchError.checksum({}, { detail: 'The file does not have the expected size.' })
  }
  if (expect.type !== undefined && !isType(type, expect.type)) {
    throw FetchError.type_mismatch({}, { detail: `The host sends ${type}.` })
  }
  await makeRoom(start)
}

/** What a host calls just bytes may be anything; else both are the same. */
function isType (type: string | null, expected: string): boolean {
  if (type === null || type === 'application/octet-stream' || type === 'binary/octet-stream') return true
  return type === expected.toLowerCase().split(';')[0]?.trim()
}

type Room = Pick<Start, 'row' | 'parts' | 'quota' | 'disk' | 'scratchDir'>

/** Room in the quota and on the disk for what is still to come. Throws `quota`, `disk`. */
export async function makeRoom ({ row, parts, quota, disk, scratchDir }: Room): Promise<void> {
  const { _id: downloadId, workspaceId, total, maxBytes } = row
  const bytes = total ?? Math.min(parts.length + aheadBytes, maxBytes ?? Infinity)
  if (!await quota.reserve({ workspaceId, downloadId, bytes })) throw FetchError.quota()
  await checkDisk(disk, scratchDir, Math.max(0, bytes - parts.length))
}

/** All segments to their ends; the first that fails for good ends the others. */
async function draw (start: Start, first: Source | undefined): Promise<void> {
  const { files } = start.parts
  const stop = new AbortController()
  const signal = AbortSignal.any([start.journal.signal, stop.signal])
  const drawn = await Promise.allSettled(files.map(async (file, index) => {
    try {
      await drawFile(start, file, index === 0 ? first : undefined, signal)
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }))
  start.journal.signal.throwIfAborted()
  if (stop.signal.aborted) throw stop.signal.reason
  const failed = drawn.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** One segment, over as many connections as it takes. */
async function drawFile (
  start: Start, file: PartFile, given: Source | undefined, signal: AbortSignal
): Promise<void> {
  let first = given
  for (let breaks = 0; ;) {
    const before = file.length
    try {
      await drawOnce(start, file, first, signal)
      return
    } catch (error) {
      first = undefined
      breaks = file.length - before >= headway ? 1 : breaks + 1
      if (error instanceof CleanRestart) throw error
      await start.journal.note()
      if (signal.aborted || !isBreak(error) || breaks > breaksInARow) throw error
      await wait(100 * breaks, undefined, { signal })
    }
  }
}

/** One answer of the host to its end. */
async function drawOnce (
  start: Start, file: PartFile, first: Source | undefined, signal: AbortSignal
): Promise<void> {
  if (file.isComplete && file.length > 0) return
  const source = first ?? await goOn(start, file, signal)
  try {
    await pump(start, file, source, signal)
  } finally {
    source.body.destroy()
  }
  await file.flush()
  const { end, start: from } = file.span
  if (end !== null && file.length < end - from) {
    throw FetchError.connect_failed({}, { detail: 'The answer ended early.' })
  }
}

/** The next source of bytes: the rest of the same version, or a whole file of which nothing is there. */
async function goOn (start: Start, file: PartFile, signal: AbortSignal): Promise<Source> {
  const { row, fetch, parts } = start
  if (parts.length === 0 && parts.files.length === 1) return await openFresh(start, signal)
  const { validators, canonicalUrl } = row
  if (!row.isRanged || validators === null) throw new CleanRestart('not_resumable')
  const wanted = { offset: file.span.start + file.length, end: parts.files.length === 1 ? null : file.span.end }
  const rest = await openRest(fetch, canonicalUrl, { ...wanted, validators }, signal)
  if (typeof rest === 'string') throw new CleanRestart(rest)
  row.announced = rest.announced ?? row.announced
  return rest
}

/** The whole file. Between the first words and now it may have become another one. */
async function openFresh (start: Start, signal: AbortSignal): Promise<Source> {
  const { row, parts, fetch, journal } = start
  const source = await openWhole(fetch, row.canonicalUrl, signal)
  try {
    if (isUnmeasured(row.validators, source.validators)) return source
    const known = JSON.stringify([row.total, row.validators])
    learn(row, { ...source, announced: source.announced ?? row.announced })
    if (JSON.stringify([row.total, row.validators]) === known) return source
    await judge(start)
    await parts.reset(layOut(row.total, 1))
    await journal.write([factsOf(start)])
    return source
  } catch (error) {
    source.body.destroy()
    throw error
  }
}

async function pump (start: Start, file: PartFile, source: Source, signal: AbortSignal): Promise<void> {
  const { row: { maxBytes }, parts, journal, admit } = start
  const most = file.span.end === null ? Infinity : file.span.end - file.span.start
  for await (const bytes of source.body as AsyncIterable<Buffer>) {
    signal.throwIfAborted()
    await admit(bytes.length, signal)
    if (file.length + bytes.length > most) throw FetchError.checksum({}, { detail: 'More came than was announced.' })
    await file.append(bytes)
    if (maxBytes !== null && parts.length > maxBytes) throw FetchError.too_large()
    const telling = journal.tick()
    if (telling !== undefined) await telling
  }
}
