import { Readable, pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib'
import type { FetchAnswer } from '../../src/kernel/index.ts'
import { FetchError, maxRatio, type Limits } from '../../src/fetch/index.ts'
import type { Body, Reader } from './exchange.ts'
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
  if (header === '') return []
  const layers = header.split(',').map((layer) => layer.trim().toLowerCase())
    .filter((layer) => layer !== '' && layer !== 'identity')
  if (layers.length > maxLayers || layers.some((layer) => !Object.hasOwn(unpackers, layer))) {
    throw FetchError.bad_encoding()
  }
  return layers as Encoding[]
}

/** The body within its limits, unpacked; ends the watch when it is over, however. */
export function streamBody (body: Body, guard: Guard): Readable {
  const packed = toStream(body, guard)
  if (guard.encodings.length === 0) return packed
  const stream = Readable.from(unpackAll(packed, guard), { objectMode: false })
  // A body that nobody began to read has no generator at work that could clear up.
  return stream.once('close', () => { packed.destroy() })
}

/** The whole body within its limits, unpacked; ends the watch. The short way for what is not packed. */
export async function collectBody (body: Body, guard: Guard): Promise<Buffer> {
  const pieces: Buffer[] = []
  if (guard.encodings.length > 0) {
    for await (const piece of unpackAll(toStream(body, guard), guard)) pieces.push(piece)
    return Buffer.concat(pieces)
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  guard.watch.resume()
  body.read(within(body, guard, {
    take (piece) {
      pieces.push(piece)
      guard.watch.resume()
    },
    end () { resolve(pieces.length === 1 ? pieces[0] as Buffer : Buffer.concat(pieces)) },
    fail: reject
  }))
  return await promise
}

/** The bytes as they were sent. While there is room the host is waited for; when there is none it is asked to wait. */
function toStream (body: Body, guard: Guard): Readable {
  const { watch } = guard
  let isBegun = false
  const stream = new Readable({
    read () {
      watch.resume()
      if (isBegun) body.resume()
      else begin()
    },
    destroy (error, done) {
      body.drop()
      watch.end()
      done(error)
    }
  })

  /** Not before somebody reads: what fails until then must wait for who hears of it. */
  function begin (): void {
    isBegun = true
    body.read(within(body, guard, {
      take (piece) {
        if (stream.push(piece)) {
          watch.resume()
          return
        }
        watch.pause()
        body.pause()
      },
      end () { stream.push(null) },
      fail (error) { stream.destroy(error) }
    }))
  }

  return stream
}

/** Hands on what the purpose bears; ends the watch. */
function within (body: Body, { encodings, limits, watch, bytes }: Guard, reader: Reader): Reader {
  const count = (piece: Buffer) => {
    bytes.packed += piece.length
    if (encodings.length === 0) bytes.unpacked += piece.length
    reader.take(piece)
  }
  return {
    take (piece) {
      watch.touch(piece.length)
      // The watch may have found it too slow.
      if (watch.reason !== undefined) return
      const room = limits.body - bytes.packed
      if (piece.length <= room) {
        count(piece)
        return
      }
      body.drop()
      watch.end()
      if (!limits.isCut) {
        reader.fail(FetchError.too_large())
        return
      }
      count(piece.subarray(0, room))
      reader.end()
    },
    end () {
      watch.end()
      reader.end()
    },
    fail (error) {
      watch.end()
      reader.fail(error)
    }
  }
}

async function * unpackAll (packed: Readable, guard: Guard): Pieces {
  const { encodings, bytes, watch } = guard
  let isWhole = false
  try {
    let source = packed[Symbol.asyncIterator]() as Pieces
    for (const encoding of encodings.toReversed()) source = unpack(source, encoding, guard)
    for await (const piece of source) {
      bytes.unpacked += piece.length
      yield piece
    }
    isWhole = true
  } catch (error) {
    throw toFetchError(error, watch.reason)
  } finally {
    // An unpacker may be done before the last bytes of the answer: those are read to keep the connection.
    if (!isWhole) packed.destroy()
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
