// All part files of one transfer: one for each segment, `<id>.<n>`.
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openPart, type PartFile } from './part-file.ts'
import type { Layout } from './pieces.ts'

export interface Parts {
  readonly files: readonly PartFile[]
  readonly layout: Layout
  /** Received, and written, over all segments. */
  readonly length: number
  readonly written: number
  /** The checks of pieces of the whole file; empty where a piece is not complete. */
  hashes (): string[]
  flush (): Promise<void>
  sync (): Promise<void>
  finish (): Promise<void>
  /** Throws everything away and divides the file anew. */
  reset (layout: Layout): Promise<void>
  /** sha-256 of the whole file, hex. */
  digest (): Promise<string>
  /** The whole file, as the disk has it. */
  read (): Readable
  close (): Promise<void>
  remove (): Promise<void>
}

export interface Place { folder: string, id: string }

/** What an earlier start noted of its segments: hashes of all pieces, and lengths that were on the disk. */
export interface Noted { hashes: readonly string[], lengths: readonly number[] }

export async function openParts (place: Place, layout: Layout, noted: Noted): Promise<Parts> {
  return createParts(place, layout, await openAll(place, layout, noted))
}

async function openAll (place: Place, { pieceBytes, spans }: Layout, { hashes, lengths }: Noted): Promise<PartFile[]> {
  const opened: PartFile[] = []
  try {
    for (const [index, span] of spans.entries()) {
      const [first, last] = [span.start / pieceBytes, span.end === null ? undefined : Math.ceil(span.end / pieceBytes)]
      opened.push(await openPart(pathOf(place, index), {
        span, pieceBytes, noted: hashes.slice(first, last), durable: lengths[index] ?? 0
      }))
    }
    return opened
  } catch (error) {
    await Promise.all(opened.map(async (file) => { await file.close() }))
    throw error
  }
}

/** Removes the part files of a transfer that nobody has open. */
export async function removeParts (place: Place, segments: number): Promise<void> {
  for (let index = 0; index < segments; index++) await rm(pathOf(place, index), { force: true })
}

function pathOf ({ folder, id }: Place, index: number): string {
  return join(folder, `${id}.${index}`)
}

function createParts (place: Place, first: Layout, opened: PartFile[]): Parts {
  let layout = first
  let files = opened

  async function each (work: (file: PartFile) => Promise<void>): Promise<void> {
    await Promise.all(files.map(work))
  }

  async function close (): Promise<void> {
    await each(async (file) => { await file.close() })
  }

  async function remove (): Promise<void> {
    await removeParts(place, files.length)
  }

  async function * bytes (): AsyncGenerator<Buffer, void, undefined> {
    for (const file of files) yield * file.read()
  }

  return {
    get files () { return files },
    get layout () { return layout },
    get length () { return sum(files.map(({ length }) => length)) },
    get written () { return sum(files.map(({ written }) => written)) },
    hashes: () => files.flatMap((file, index) => spread(file, layout.pieceBytes, index === files.length - 1)),
    flush: async () => { await each(async (file) => { await file.flush() }) },
    sync: async () => { await each(async (file) => { await file.sync() }) },
    finish: async () => { await each(async (file) => { await file.finish() }) },
    async reset (next) {
      const [file] = files
      const [span] = next.spans
      if (files.length === 1 && next.spans.length === 1 && file !== undefined && span !== undefined) {
        await file.empty({ span, pieceBytes: next.pieceBytes })
      } else {
        await close()
        await remove()
        files = await openAll(place, next, { hashes: [], lengths: [] })
      }
      layout = next
    },
    async digest () {
      let hash = createHash('sha256')
      for (const file of files) hash = await file.addTo(hash)
      return hash.digest('hex')
    },
    read: () => Readable.from(bytes(), { objectMode: false }),
    close,
    remove
  }
}

/** Hashes of a segment at their places, with gaps where pieces are missing; the last one ends with what is there. */
function spread ({ pieces, span }: PartFile, pieceBytes: number, isLast: boolean): string[] {
  const places = isLast || span.end === null ? pieces.length : Math.ceil((span.end - span.start) / pieceBytes)
  return Array.from({ length: places }, (_none, index) => pieces[index] ?? '')
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}
