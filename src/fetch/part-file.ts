import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'

/** Bytes of a transfer on the disk, in order, with the hashes of the whole and of its pieces. */
export interface PartFile {
  readonly length: number
  /** Hashes of the pieces that are complete; the last, shorter one comes with the end. */
  readonly pieces: readonly string[]
  append (bytes: Buffer): Promise<void>
  /** Starts again from nothing. */
  empty (): Promise<void>
  sync (): Promise<void>
  /** sha-256 of everything, hex. */
  digest (): string
  read (): Promise<Buffer>
  close (): Promise<void>
}

interface Prefix { hash: Hash, piece: Hash, pieces: string[], length: number }

const readBytes = 256 * 1024

/**
 * Opens the part, reads what is there and keeps of it only what is durable: at most `durable` bytes,
 * and no piece that differs from its noted hash.
 */
export async function openPart (
  path: string, { pieceBytes, noted, durable }: { pieceBytes: number, noted: readonly string[], durable: number }
): Promise<PartFile> {
  const file = await open(path, 'a+', 0o600)
  const { size } = await file.stat()
  if (size > durable) await file.truncate(durable)
  let prefix = size === 0 ? start() : await readPrefix(file, pieceBytes)
  const bad = prefix.pieces.findIndex((hash, index) => noted[index] !== undefined && noted[index] !== hash)
  if (bad !== -1) {
    await file.truncate(bad * pieceBytes)
    prefix = await readPrefix(file, pieceBytes)
  }
  return createPart(file, prefix, { pieceBytes, isNew: size === 0 })
}

function start (): Prefix {
  return { hash: createHash('sha256'), piece: createHash('sha256'), pieces: [], length: 0 }
}

/** Adds bytes to the hashes, closing each piece at its border. */
function grow (prefix: Prefix, bytes: Buffer, pieceBytes: number): void {
  prefix.hash.update(bytes)
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + pieceBytes - prefix.length % pieceBytes)
    prefix.piece.update(bytes.subarray(at, end))
    prefix.length += end - at
    at = end
    if (prefix.length % pieceBytes === 0) {
      prefix.pieces.push(prefix.piece.digest('hex'))
      prefix.piece = createHash('sha256')
    }
  }
}

async function readPrefix (file: FileHandle, pieceBytes: number): Promise<Prefix> {
  const prefix = start()
  const buffer = Buffer.allocUnsafe(readBytes)
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, readBytes, prefix.length)
    if (bytesRead === 0) return prefix
    grow(prefix, buffer.subarray(0, bytesRead), pieceBytes)
  }
}

function createPart (
  file: FileHandle, read: Prefix, { pieceBytes, isNew }: { pieceBytes: number, isNew: boolean }
): PartFile {
  let prefix = read
  let isBlank = isNew
  return {
    get length () { return prefix.length },
    get pieces () { return prefix.pieces },
    async append (bytes) {
      isBlank = false
      await file.appendFile(bytes)
      grow(prefix, bytes, pieceBytes)
    },
    async empty () {
      if (!isBlank) await file.truncate(0)
      prefix = start()
    },
    async sync () { await file.datasync() },
    digest () { return prefix.hash.copy().digest('hex') },
    async read () {
      const bytes = Buffer.allocUnsafe(prefix.length)
      let at = 0
      while (at < bytes.length) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, at)
        if (bytesRead === 0) throw new Error('the part file became shorter')
        at += bytesRead
      }
      return bytes
    },
    async close () { await file.close() }
  }
}
