// The host of the bench, in a process of its own: a page, a file as fast as it goes, and one at a set pace.
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { runAsProcess } from '../../test/stand-ins/process.ts'

export interface Host extends Record<string, unknown> {
  host: string
  origin: string
  bytes: number
  pacedBytes: number
  /** Of the two files, hex. */
  sha256: string
  pacedSha256: string
}

const MiB = 1024 * 1024
const bytesPerS = 20 * MiB
const sliceBytes = 256 * 1024
const block = randomBytes(16 * MiB)
const page = randomBytes(3 * 1024).toString('hex')
const [bytes = 1024 * MiB, pacedBytes = 320 * MiB] = process.argv.slice(2).map(Number)

await runAsProcess(async () => {
  const server = createServer((request, reply) => {
    if (request.url === '/page') reply.setHeader('content-type', 'text/html').end(page)
    else void serve(request, reply, request.url === '/paced')
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    ready: {
      host, origin: `http://${host}`, bytes, pacedBytes, sha256: hashOf(bytes), pacedSha256: hashOf(pacedBytes)
    } satisfies Host,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
})

function hashOf (length: number): string {
  const hash = createHash('sha256')
  for (const piece of slices(0, length, block.length)) hash.update(piece)
  return hash.digest('hex')
}

/** The bytes of a file from `start` to `end`: the block, over and over. */
function * slices (start: number, end: number, size: number): Generator<Buffer> {
  for (let at = start; at < end;) {
    const from = at % block.length
    const length = Math.min(size, end - at, block.length - from)
    yield block.subarray(from, from + length)
    at += length
  }
}

async function serve (request: IncomingMessage, reply: ServerResponse, isPaced: boolean): Promise<void> {
  const { start, end, status, headers } = rangeOf(request, isPaced ? pacedBytes : bytes)
  reply.writeHead(status, { etag: '"bench"', 'accept-ranges': 'bytes', 'content-length': end - start, ...headers })
  if (request.method !== 'HEAD') await pour(reply, slices(start, end, sliceBytes), isPaced ? bytesPerS : Infinity)
  reply.end()
}

function rangeOf ({ headers: { range = '' } }: IncomingMessage, total: number) {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
  if (from === undefined) return { start: 0, end: total, status: 200, headers: {} }
  const start = Number(from)
  const end = to === '' ? total : Math.min(total, Number(to) + 1)
  return { start, end, status: 206, headers: { 'content-range': `bytes ${start}-${end - 1}/${total}` } }
}

async function pour (reply: ServerResponse, pieces: Iterable<Buffer>, pace: number): Promise<void> {
  const since = performance.now()
  let sent = 0
  for (const piece of pieces) {
    if (reply.destroyed) return
    if (!reply.write(piece)) await roomIn(reply)
    sent += piece.length
    const aheadMs = sent / pace * 1000 - (performance.now() - since)
    if (aheadMs > 4) await sleep(aheadMs)
  }
}

async function roomIn (reply: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  reply.once('drain', resolve).once('close', resolve)
  await promise
  reply.off('drain', resolve).off('close', resolve)
}
