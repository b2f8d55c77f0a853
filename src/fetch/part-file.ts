import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { createHash, type Hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { FetchError } from './errors.ts'
import type { Span } from './pieces.ts'

/** The bytes of one segment on the disk, in order, with the checks of their pieces. */
export interface PartFile {
  readonly span: Span
  /** Bytes that were received. */
  readonly length: number
  /** Bytes that came out of the process: what a kill leaves. */
  readonly written: number
  readonly isComplete: boolean
  /** CRC-32 of the pieces that are complete, hex; the last, shorter one comes with `finish`. */
  readonly pieces: readonly string[]
  append (bytes: Buffer): Promise<void>
  /** Starts again from nothing, perhaps as another stretch of the file. */
  empty (shape: Shape): Promise<void>
  flush (): Promise<void>
  /** Everything received is on the disk. */
  sync (): Promise<void>
  /** Nothing more comes: the last piece counts too. */
  finish (): Promise<void>
  /** The hash of the file up to the end of this segment, of the one up to its beginning. */
  addTo (hash: Hash): Promise<Hash>
  /** Everything as the disk has it. */
  read (): AsyncGenerator<Buffer, void, undefined>
  /** Indexes of pieces that the disk no longer has as they were received. */
  damaged (): Promise<number[]>
  /** Puts bytes right that were damaged; a hash of everything is made anew of the disk. */
  mend (index: number, bytes: Buffer): Promise<void>
  close (): Promise<void>
}

export interface Shape { span: Span, pieceBytes: number }

/**
 * What is known of the bytes so far; the hash only of a segment that begins the file. A piece is held against our own
 * disk, not against a stranger: a checksum will do (decision 0017).
 */
interface Prefix { hash: Hash | undefined, piece: number, pieces: string[], length: number }

const readBytes = 1024 * 1024
/** Written together; what a kill may cost. */
const gatherBytes = 1024 * 1024

export interface PartOptions extends Shape { noted: readonly string[], durable: number }

/**
 * Opens the part, reads what is there and keeps of it only what is durable: at most `durable` bytes,
 * and no piece that differs from what was noted of it.
 */
export async function openPart (path: string, options: PartOptions): Promise<PartFile> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  try {
    return createPart(file, await readDurable(file, options), options)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readDurable (file: FileHandle, { pieceBytes, noted, durable, span }: PartOptions): Promise<Prefix> {
  const { size } = await file.stat()
  const most = Math.min(durable, span.end === null ? Infinity : span.end - span.start)
  if (size > most) await file.truncate(most)
  if (Math.min(size, most) === 0) return start(span)
  const prefix = await readPrefix(file, { span, pieceBytes })
  const bad = prefix.pieces.findIndex((check, index) => (noted[index] ?? '') !== '' && noted[index] !== check)
  if (bad === -1) return prefix
  await file.truncate(bad * pieceBytes)
  return await readPrefix(file, { span, pieceBytes })
}

function start (span: Span): Prefix {
  return { hash: span.start === 0 ? createHash('sha256') : undefined, piece: 0, pieces: [], length: 0 }
}

/** Adds bytes to what is known, closing each piece at its border. */
function grow (prefix: Prefix, bytes: Buffer, pieceBytes: number): void {
  prefix.hash?.update(bytes)
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + pieceBytes - prefix.length % pieceBytes)
    prefix.piece = crc32(bytes.subarray(at, end), prefix.piece)
    prefix.length += end - at
    at = end
    if (prefix.length % pieceBytes === 0) closePiece(prefix)
  }
}

function closePiece (prefix: Prefix): void {
  prefix.pieces.push(prefix.piece.toString(16).padStart(8, '0'))
  prefix.piece = 0
}

async function readPrefix (file: FileHandle, { span, pieceBytes }: Shape): Promise<Prefix> {
  const prefix = start(span)
  await scan(file, (bytes) => { grow(prefix, bytes, pieceBytes) })
  return prefix
}

async function * readFile (file: FileHandle): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(readBytes), 0, readBytes, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** Shows everything that the disk has, in order, and reads on meanwhile; the bytes are lent for the moment. */
async function scan (file: FileHandle, see: (bytes: Buffer) => void): Promise<void> {
  let [busy, free] = [Buffer.allocUnsafe(readBytes), Buffer.allocUnsafe(readBytes)]
  let reading = file.read(busy, 0, readBytes, 0)
  for (let at = 0; ;) {
    const { bytesRead } = await reading
    if (bytesRead === 0) return
    at += bytesRead;
    [busy, free] = [free, busy]
    reading = file.read(busy, 0, readBytes, at)
    reading.catch(() => {})
    see(free.subarray(0, bytesRead))
  }
}

function createPart (file: FileHandle, read: Prefix, shape: Shape): PartFile {
  let { span, pieceBytes } = shape
  let prefix = read
  const writer = createWriter(file, prefix.length)
  return {
    get span () { return span },
    get length () { return prefix.length },
    get written () { return writer.written() },
    get isComplete () { return span.end !== null && prefix.length === span.end - span.start },
    get pieces () { return prefix.pieces },
    async append (bytes) {
      grow(prefix, bytes, pieceBytes)
      await writer.add(bytes)
    },
    async empty (next) {
      await writer.empty();
      ({ span, pieceBytes } = next)
      prefix = start(span)
    },
    flush: writer.flush,
    async sync () {
      await writer.flush()
      await file.datasync()
    },
    async finish () {
      await writer.flush()
      if (prefix.length > prefix.pieces.length * pieceBytes) closePiece(prefix)
    },
    async addTo (hash) {
      if (prefix.hash !== undefined) return prefix.hash.copy()
      await scan(file, (bytes) => { hash.update(bytes) })
      return hash
    },
    read: () => readFile(file),
    async damaged () {
      const there = await readPrefix(file, { span, pieceBytes })
      if (there.length > there.pieces.length * pieceBytes) closePiece(there)
      return [...prefix.pieces.keys()].filter((index) => there.pieces[index] !== prefix.pieces[index])
    },
    async mend (index, bytes) {
      await writeAll(file, [bytes], index * pieceBytes)
      if (prefix.hash !== undefined) ({ hash: prefix.hash } = await readPrefix(file, { span, pieceBytes }))
    },
    async close () { await file.close() }
  }
}

/** Gathers small pieces, and lets one write run while the next bytes come. */
function createWriter (file: FileHandle, from: number) {
  let held: Buffer[] = []
  let heldBytes = 0
  let at = from
  let written = from
  let writing = Promise.resolve()

  async function leave (): Promise<void> {
    await writing
    const pieces = held
    const place = at
    at += heldBytes
    const end = at
    held = []
    heldBytes = 0
    writing = writeAll(file, pieces, place).then(() => { written = end })
    // Whoever comes next meets the error.
    writing.catch(() => {})
  }

  async function flush (): Promise<void> {
    if (heldBytes > 0) await leave()
    await writing
  }

  return {
    written: () => written,
    flush,
    async add (bytes: Buffer): Promise<void> {
      held.push(bytes)
      heldBytes += bytes.length
      if (heldBytes >= gatherBytes) await leave()
    },
    async empty (): Promise<void> {
      held = []
      heldBytes = 0
      await writing.catch(() => {})
      writing = Promise.resolve()
      if (at > 0) await file.truncate(0)
      at = 0
      written = 0
    }
  }
}

async function writeAll (file: FileHandle, pieces: readonly Buffer[], at: number): Promise<void> {
  let rest = [...pieces]
  let place = at
  try {
    while (rest.length > 0) {
      const { bytesWritten } = await file.writev(rest, place)
      place += bytesWritten
      rest = dropBytes(rest, bytesWritten)
    }
  } catch (cause) {
    const { code } = cause as { code?: string }
    throw code === 'ENOSPC' || code === 'EDQUOT' ? FetchError.disk({}, { cause }) : cause
  }
}

function dropBytes (pieces: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes
  return pieces.flatMap((piece) => {
    const gone = Math.min(skip, piece.length)
    skip -= gone
    return gone === piece.length ? [] : [piece.subarray(gone)]
  })
}
