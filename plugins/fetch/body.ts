import { Readable, pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { FetchError, maxRatio, type Limits } from '../../src/fetch/index.ts'
import { toFetchError } from './failures.ts'
import type { Watch } from './watch.ts'

const unpackers = {
  gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress
}
type Encoding = keyof typeof unpackers

const maxLayers = 2

/** What an answer's body may be before a byte of it is read. Throws `too_large`, `bad_encoding`. */
export function judgeHeaders (headers: Record<string, string>, limits: Limits): Encoding[] {
  const length = Number(headers['content-length'] ?? 0)
  if (length > limits.body) throw FetchError.too_large()
  return limits.isRaw ? [] : encodingsOf(headers['content-encoding'] ?? '')
}

function encodingsOf (header: string): Encoding[] {
  const layers = header.split(',').map((layer) => layer.trim().toLowerCase())
    .filter((layer) => layer !== '' && layer !== 'identity')
  if (layers.length > maxLayers || layers.some((layer) => !Object.hasOwn(unpackers, layer))) {
    throw FetchError.bad_encoding()
  }
  return layers as Encoding[]
}

/** The body within its limits, unpacked; ends the watch when it is over, however. */
export async function * guardBody (
  body: Readable, { encodings, limits, watch }: { encodings: Encoding[], limits: Limits, watch: Watch }
): AsyncGenerator<Buffer, void, undefined> {
  const counted = { packed: 0, unpacked: 0 }
  let isWhole = false
  try {
    let source = read(body, counted, limits, watch)
    for (const encoding of encodings.toReversed()) source = unpack(source, encoding)
    for await (const piece of source) {
      if (encodings.length > 0) judgeRatio(counted, piece.length, limits)
      yield piece
    }
    isWhole = true
  } catch (error) {
    throw toFetchError(error, watch.signal)
  } finally {
    // An unpacker may be done before the last bytes of the answer: those are read to keep the connection.
    if (!isWhole) body.on('error', () => {}).destroy()
  }
}

async function * read (
  body: Readable, counted: { packed: number }, limits: Limits, watch: Watch
): AsyncGenerator<Buffer, void, undefined> {
  watch.resume()
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      watch.touch(piece.length)
      watch.pause()
      watch.signal.throwIfAborted()
      counted.packed += piece.length
      if (counted.packed > limits.body) throw FetchError.too_large()
      yield piece
      watch.resume()
    }
  } finally {
    watch.end()
  }
}

async function * unpack (source: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<Buffer, void, undefined> {
  const unpacker = unpackers[encoding]()
  // The error of either end reaches the loop below through the unpacker.
  pipeline(Readable.from(source, { objectMode: false }), unpacker, () => {})
  for await (const piece of unpacker as AsyncIterable<Buffer>) yield piece
}

function judgeRatio (counted: { packed: number, unpacked: number }, bytes: number, limits: Limits): void {
  counted.unpacked += bytes
  const isBlownUp = counted.unpacked > maxRatio.from && counted.unpacked > counted.packed * maxRatio.ratio
  if (isBlownUp || counted.unpacked > limits.unpacked) throw FetchError.bomb()
}
