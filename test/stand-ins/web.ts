// A web server that serves files as good hosts do and, on demand, as bad ones.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createHash } from 'node:crypto'

export interface WebRequest { method: string, path: string, headers: Record<string, string | string[] | undefined> }

type Answer = (request: IncomingMessage, reply: ServerResponse) => void

export interface Web {
  host: string
  origin: string
  /** Every request in order. */
  requests: WebRequest[]
  connections: () => number
  /** Answers requests of a path. */
  on (path: string, answer: Answer): void
  /** What answers a path now. */
  answerOf (path: string): Answer
  /** Serves bytes with ranges and validators, as a good file host does. */
  file (path: string, body: Buffer, options?: FileOptions): ServedFile
  close (): Promise<void>
}

export interface FileOptions {
  type?: string
  ignoresRanges?: boolean
  /** Null: the host gives none. */
  etag?: string | null
  lastModified?: string
  /** Announces the sha-256 of the file (RFC 9530). */
  hasDigest?: boolean
  /** Answers 200 to every If-Range, as some hosts do. */
  ignoresIfRange?: boolean
  /** Ranges are answered from so many bytes further on. */
  shift?: number
  /** The answer tells no length. */
  isChunked?: boolean
  bytesPerSecond?: number
  /** What becomes of an answer where it breaks off, with the bytes that it owes; usually its connection is closed. */
  atCut?: (reply: ServerResponse, owed: Buffer) => void
  /** Before each answer: the file may become another one. */
  before?: (request: IncomingMessage, served: ServedFile) => void
}

/** A served file: what it is may change, and its next answers may break off. */
export interface ServedFile {
  body: Buffer
  etag: string | null
  /** Offsets in the file at which coming answers break off; each is used once. */
  cuts: number[]
  /** Each answer: where it began, and how far it has come. */
  sent: Array<{ start: number, bytes: number }>
}

/** Over TLS where a certificate is given. */
export interface WebOptions { host?: string, port?: number, tls?: ServerOptions }

export async function startWeb ({ host = '127.0.0.1', port: wanted = 0, tls }: WebOptions = {}): Promise<Web> {
  const requests: WebRequest[] = []
  const answers = new Map<string, Answer>()
  const sockets = new Set<Socket>()
  let connections = 0
  const handle = (request: IncomingMessage, reply: ServerResponse): void => {
    const path = request.url ?? ''
    requests.push({ method: request.method ?? '', path, headers: { ...request.headers } })
    const answer = answers.get(path.split('?')[0] ?? '')
    if (answer === undefined) reply.writeHead(404).end('nothing here')
    else answer(request, reply)
  }
  const server: Server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle)
  server.on('tlsClientError', () => {})
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await listen(server, wanted, host)
  const { port } = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    host: `${name}:${port}`,
    origin: `${tls === undefined ? 'http' : 'https'}://${name}:${port}`,
    requests,
    connections: () => connections,
    on (path, answer) { answers.set(path, answer) },
    answerOf: (path) => answers.get(path) as Answer,
    file (path, body, options = {}) {
      const etag = options.etag === undefined ? etagOf(body) : options.etag
      const served: ServedFile = { body, etag, cuts: [], sent: [] }
      answers.set(path, (request, reply) => { void serve(served, options, request, reply) })
      return served
    },
    async close () {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

async function listen (server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}

export function etagOf (body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`
}

async function serve (
  served: ServedFile, options: FileOptions, request: IncomingMessage, reply: ServerResponse
): Promise<void> {
  options.before?.(request, served)
  const { body } = served
  const range = rangeOf(request, served, options)
  const { start, end } = range ?? { start: 0, end: body.length - 1 }
  if (start >= body.length && body.length > 0) {
    reply.writeHead(416, { ...headersOf(served, options), 'content-range': `bytes */${body.length}` }).end()
    return
  }
  writeHead(reply, served, options, range)
  const stop = stopOf(served, start, end)
  const sent = { start, bytes: 0 }
  served.sent.push(sent)
  await pour(reply, body.subarray(start, stop), options.bytesPerSecond ?? Infinity, (bytes) => { sent.bytes += bytes })
  if (stop > end) reply.end()
  else if (options.atCut === undefined) reply.destroy()
  else options.atCut(reply, body.subarray(stop, end + 1))
}

interface Range { start: number, end: number }

function writeHead (reply: ServerResponse, served: ServedFile, options: FileOptions, range: Range | undefined): void {
  const { length: total } = served.body
  const { start, end } = range ?? { start: 0, end: total - 1 }
  const from = start === 0 ? 0 : start + (options.shift ?? 0)
  reply.writeHead(range === undefined ? 200 : 206, {
    ...headersOf(served, options),
    ...(range === undefined ? {} : { 'content-range': `bytes ${from}-${end}/${total}` }),
    ...(options.isChunked === true ? {} : { 'content-length': end - start + 1 })
  })
}

/** Where this answer breaks off, or ends. */
function stopOf ({ cuts }: ServedFile, start: number, end: number): number {
  const cut = cuts.findIndex((at) => at > start && at <= end)
  return cut === -1 ? end + 1 : cuts.splice(cut, 1)[0] as number
}

function headersOf ({ etag, body }: ServedFile, options: FileOptions): Record<string, string> {
  const { type = 'application/octet-stream', ignoresRanges = false, lastModified, hasDigest = false } = options
  return {
    'content-type': type,
    ...(etag === null ? {} : { etag }),
    ...(lastModified === undefined ? {} : { 'last-modified': lastModified }),
    ...(hasDigest ? { 'repr-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:` } : {}),
    ...(ignoresRanges ? {} : { 'accept-ranges': 'bytes' })
  }
}

function rangeOf (request: IncomingMessage, served: ServedFile, options: FileOptions): Range | undefined {
  const [, from, to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  if (from === undefined || options.ignoresRanges === true) return undefined
  if (!isMet(request.headers['if-range'] as string | undefined, served, options)) return undefined
  const last = served.body.length - 1
  return { start: Number(from), end: to === '' ? last : Math.min(Number(to), last) }
}

function isMet (condition: string | undefined, { etag }: ServedFile, options: FileOptions): boolean {
  if (condition === undefined) return true
  return options.ignoresIfRange !== true && (condition === etag || condition === options.lastModified)
}

async function pour (
  reply: ServerResponse, body: Buffer, bytesPerSecond: number, onSent: (bytes: number) => void
): Promise<void> {
  const step = Number.isFinite(bytesPerSecond) ? Math.max(1, Math.floor(bytesPerSecond / 20)) : 64 * 1024
  for (let at = 0; at < body.length && !reply.destroyed; at += step) {
    const piece = body.subarray(at, at + step)
    await new Promise((resolve) => { reply.write(piece, resolve) })
    onSent(piece.length)
    if (Number.isFinite(bytesPerSecond)) await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
}
