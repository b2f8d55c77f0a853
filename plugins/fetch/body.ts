import { Readable, pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import type { FetchAnswer } from '../../src/kernel/index.ts'
import { FetchError, maxRatio, type Limits } from '../../src/fetch/index.ts'
import { toFetchError } from './failures.ts'
import type { Watch } from './watch.ts'

const unpackers = {
  gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress
}
export type Encoding = keyof typeof unpackers

const maxLayers = 2

type Bytes = FetchAnswer['bytes']
type Pieces = AsyncGenerator<Buffer, void, undefined>

interface Guard { encodings: readonly Encoding[], limits: Limits, watch: Watch, bytes: Bytes }

/** What an answer's body may be before a byte of it is read. Throws `too_large`, `bad_encoding`. */
export function judgeHeaders (headers: Record<string, string>, limits: Limits): Encoding[] {
  const length = Number(headers['content-length'] ?? 0)
  if (length > limits.body && !limits.isCut) throw FetchError.too_large()
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
export async function * guardBody (body: Readable, guard: Guard): Pieces {
  const { encodings, bytes, watch } = guard
  let isWhole = false
  try {
    let source: Pieces = read(body, guard)
    for (const encoding of encodings.toReversed()) source = unpack(source, encoding, guard)
    for await (const piece of source) {
      bytes.unpacked += piece.length
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

/** The whole body within its limits, unpacked; ends the watch. The short way for what is not packed. */
export async function collectBody (body: Readable, guard: Guard): Promise<Buffer> {
  if (guard.encodings.length === 0) return await gather(body, guard)
  const pieces: Buffer[] = []
  for await (const piece of guardBody(body, guard)) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function gather (body: Readable, { limits, watch, bytes }: Guard): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const pieces: Buffer[] = []
  const stop = (error?: Error) => {
    if (error === undefined) resolve()
    else reject(error)
    body.destroy()
  }
  body.on('data', (piece: Buffer) => {
    watch.touch(piece.length)
    const room = limits.body - bytes.packed
    bytes.packed += Math.min(room, piece.length)
    pieces.push(piece.length > room ? piece.subarray(0, room) : piece)
    if (piece.length > room) stop(limits.isCut ? undefined : FetchError.too_large())
    else watch.resume()
  })
  body.on('end', resolve).on('error', reject)
  watch.resume()
  try {
    await promise
    bytes.unpacked = bytes.packed
    return pieces.length === 1 ? pieces[0] as Buffer : Buffer.concat(pieces)
  } catch (error) {
    throw toFetchError(error, watch.signal)
  } finally {
    watch.end()
  }
}

async function * read (body: Readable, { limits, watch, bytes }: Guard): Pieces {
  watch.resume()
  try {
    for await (const piece of body as AsyncIterable<Buffer>) {
      watch.touch(piece.length)
      watch.pause()
      watch.throwIfAborted()
      const room = limits.body - bytes.packed
      bytes.packed += Math.min(room, piece.length)
      if (piece.length > room) {
        if (!limits.isCut) throw FetchError.too_large()
        body.on('error', () => {})
        yield piece.subarray(0, room)
        return
      }
      yield piece
      watch.resume()
    }
  } finally {
    watch.end()
  }
}

/** One layer of packing; each is judged by itself, since the next one may make little of much. */
async function * unpack (source: Pieces, encoding: Encoding, { limits, bytes }: Guard): Pieces {
  const { first, all } = await peek(source)
  // Nothing at all, whatever it is called: so says an answer to HEAD, and many an empty one.
  if (first === undefined) return
  // Some hosts send bare deflate where RFC 9110 asks for the zlib format.
  const isBare = encoding === 'deflate' && (first & 0x0f) !== 8
  const unpacker = isBare ? createInflateRaw() : unpackers[encoding]()
  // The error of either end reaches the loop below through the unpacker.
  pipeline(Readable.from(all, { objectMode: false }), unpacker, () => {})
  let made = 0
  for await (const piece of unpacker as AsyncIterable<Buffer>) {
    made += piece.length
    const isBlownUp = made > maxRatio.from && made > bytes.packed * maxRatio.ratio
    if (isBlownUp || made > limits.unpacked) throw FetchError.bomb()
    yield piece
  }
}

async function peek (source: Pieces): Promise<{ first: number | undefined, all: Pieces }> {
  const { value, done } = await source.next()
  async function * all (): Pieces {
    if (done !== true) yield value
    yield * source
  }
  return { first: done === true ? undefined : value[0], all: all() }
}
