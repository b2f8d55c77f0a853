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
  /** Before each answer: the file may become another one. */
  before?: (request: IncomingMessage, served: ServedFile) => void
}

/** A served file: what it is may change, and its next answers may break off. */
export interface ServedFile {
  body: Buffer
  etag: string | null
  /** Offsets in the file at which coming answers break off; each is used once. */
  cuts: number[]
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
      const served: ServedFile = { body, etag: options.etag === undefined ? etagOf(body) : options.etag, cuts: [] }
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
  const headers = headersOf(served, options)
  if (start >= body.length && body.length > 0) {
    reply.writeHead(416, { ...headers, 'content-range': `bytes */${body.length}` }).end()
    return
  }
  const shift = start === 0 ? 0 : options.shift ?? 0
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start + shift}-${end}/${body.length}` }
  const length = options.isChunked === true ? {} : { 'content-length': end - start + 1 }
  reply.writeHead(range === undefined ? 200 : 206, { ...headers, ...partial, ...length })
  const cut = served.cuts.findIndex((at) => at > start && at <= end)
  const stop = cut === -1 ? end + 1 : served.cuts.splice(cut, 1)[0] as number
  await pour(reply, body.subarray(start, stop), options.bytesPerSecond ?? Infinity)
  if (stop <= end) reply.destroy()
  else reply.end()
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

function rangeOf (
  { headers }: IncomingMessage, { body, etag }: ServedFile, options: FileOptions
): { start: number, end: number } | undefined {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  if (from === undefined || options.ignoresRanges === true) return undefined
  const condition = headers['if-range']
  const isMet = condition === undefined || condition === etag || condition === options.lastModified
  if (!isMet || (condition !== undefined && options.ignoresIfRange === true)) return undefined
  const last = to === undefined || to === '' ? body.length - 1 : Math.min(Number(to), body.length - 1)
  return { start: Number(from), end: last }
}

async function pour (reply: ServerResponse, body: Buffer, bytesPerSecond: number): Promise<void> {
  const step = Number.isFinite(bytesPerSecond) ? Math.max(1, Math.floor(bytesPerSecond / 20)) : 64 * 1024
  for (let at = 0; at < body.length && !reply.destroyed; at += step) {
    const piece = body.subarray(at, at + step)
    await new Promise((resolve) => { reply.write(piece, resolve) })
    if (Number.isFinite(bytesPerSecond)) await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
}
