// A web server that behaves badly on demand, and a resolver that changes its mind.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createHash } from 'node:crypto'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

export interface WebRequest { method: string, path: string, headers: Record<string, string | string[] | undefined> }

export interface Web {
  host: string
  origin: string
  /** Every request in order. */
  requests: WebRequest[]
  connections: () => number
  /** Answers requests of a path. */
  on (path: string, answer: (request: IncomingMessage, reply: ServerResponse) => void): void
  /** Serves bytes with ranges and validators, as a good file host does. */
  file (path: string, body: Buffer, options?: FileOptions): ServedFile
  close (): Promise<void>
}

export interface FileOptions { type?: string, ignoresRanges?: boolean, etag?: string, bytesPerSecond?: number }

/** A served file: what it is may change, and its next answers may break off. */
export interface ServedFile {
  body: Buffer
  etag: string
  /** Offsets in the file at which coming answers break off; each is used once. */
  cuts: number[]
}

export async function startWeb (host = '127.0.0.1'): Promise<Web> {
  const requests: WebRequest[] = []
  const answers = new Map<string, (request: IncomingMessage, reply: ServerResponse) => void>()
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((request, reply) => {
    const path = request.url ?? ''
    requests.push({ method: request.method ?? '', path, headers: { ...request.headers } })
    const answer = answers.get(path.split('?')[0] ?? '')
    if (answer === undefined) reply.writeHead(404).end('nothing here')
    else answer(request, reply)
  })
  server.on('connection', (socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await listen(server, host)
  const { port } = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    host: `${name}:${port}`,
    origin: `http://${name}:${port}`,
    requests,
    connections: () => connections,
    on (path, answer) { answers.set(path, answer) },
    file (path, body, options = {}) {
      const served: ServedFile = { body, etag: options.etag ?? etagOf(body), cuts: [] }
      answers.set(path, (request, reply) => { void serve(served, options, request, reply) })
      return served
    },
    async close () {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

async function listen (server: Server, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, host, resolve)
  })
}

export function etagOf (body: Buffer): string {
  return `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`
}

async function serve (
  served: ServedFile, options: FileOptions, request: IncomingMessage, reply: ServerResponse
): Promise<void> {
  const { body } = served
  const range = options.ignoresRanges === true ? undefined : rangeOf(request, served)
  const { start, end } = range ?? { start: 0, end: body.length - 1 }
  const headers = headersOf(served, options)
  if (start >= body.length && body.length > 0) {
    reply.writeHead(416, { ...headers, 'content-range': `bytes */${body.length}` }).end()
    return
  }
  const partial = range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${body.length}` }
  reply.writeHead(range === undefined ? 200 : 206, { ...headers, ...partial, 'content-length': end - start + 1 })
  const cut = served.cuts.findIndex((at) => at > start && at <= end)
  const stop = cut === -1 ? end + 1 : served.cuts.splice(cut, 1)[0] as number
  await pour(reply, body.subarray(start, stop), options.bytesPerSecond ?? Infinity)
  if (stop <= end) reply.destroy()
  else reply.end()
}

function headersOf ({ etag }: ServedFile, { type = 'application/octet-stream', ignoresRanges = false }: FileOptions) {
  return { etag, 'content-type': type, ...(ignoresRanges ? {} : { 'accept-ranges': 'bytes' }) }
}

function rangeOf (request: IncomingMessage, { body, etag }: ServedFile): { start: number, end: number } | undefined {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const condition = request.headers['if-range']
  if (from === undefined || (condition !== undefined && condition !== etag)) return undefined
  return { start: Number(from), end: to === undefined || to === '' ? body.length - 1 : Number(to) }
}

async function pour (reply: ServerResponse, body: Buffer, bytesPerSecond: number): Promise<void> {
  const step = Number.isFinite(bytesPerSecond) ? Math.max(1, Math.floor(bytesPerSecond / 20)) : 64 * 1024
  for (let at = 0; at < body.length && !reply.destroyed; at += step) {
    const piece = body.subarray(at, at + step)
    await new Promise((resolve) => { reply.write(piece, resolve) })
    if (Number.isFinite(bytesPerSecond)) await new Promise((resolve) => { setTimeout(resolve, 50) })
  }
}

/** Answers the lists one after another, the last one for ever: what a rebinding name server does. */
export function rebindingLookup (...answers: string[][]): (host: string) => Promise<string[]> {
  let asked = 0
  return async () => answers[Math.min(asked++, answers.length - 1)] ?? []
}

/** The behaviours of a hostile server by path, each with the code that safe fetch must answer. */
export function addHostility (web: Web, elsewhere: string): Record<string, string> {
  const zeros = Buffer.alloc(20 * 1024 * 1024)
  const text = Buffer.from('hello')
  const send = (path: string, headers: Record<string, string>, body: Buffer, status = 200) => {
    web.on(path, (_request, reply) => { reply.writeHead(status, headers).end(body) })
  }
  const redirect = (path: string, location: string, status = 302) => send(path, { location }, Buffer.alloc(0), status)
  send('/bomb-gzip', { 'content-encoding': 'gzip' }, gzipSync(zeros))
  send('/bomb-br', { 'content-encoding': 'br' }, brotliCompressSync(zeros))
  send('/bomb-twice', { 'content-encoding': 'gzip, gzip' }, gzipSync(gzipSync(zeros)))
  send('/three-layers', { 'content-encoding': 'gzip, gzip, gzip' }, gzipSync(gzipSync(gzipSync(text))))
  send('/unknown-encoding', { 'content-encoding': 'zopfli' }, text)
  send('/broken-gzip', { 'content-encoding': 'gzip' }, text)
  send('/cut-gzip', { 'content-encoding': 'gzip' }, gzipSync(zeros.subarray(0, 4096)).subarray(0, 20))
  send('/broken-deflate', { 'content-encoding': 'deflate' }, deflateSync(text).subarray(4))
  send('/large', {}, zeros)
  web.on('/large-said', (_request, reply) => { reply.writeHead(200, { 'content-length': 1e12 }).write('x') })
  web.on('/large-chunked', (_request, reply) => { reply.writeHead(200).end(zeros) })
  web.on('/short', (_request, reply) => {
    reply.writeHead(200, { 'content-length': 100 }).write('short')
    setTimeout(() => reply.destroy(), 20)
  })
  web.on('/silent', () => {})
  web.on('/stall', (_request, reply) => { reply.writeHead(200).write('and then nothing') })
  web.on('/drip', (_request, reply) => {
    reply.writeHead(200).write('x')
    const timer = setInterval(() => reply.write('x'), 40)
    reply.on('close', () => clearInterval(timer))
  })
  web.on('/reset', (request) => { request.socket.destroy() })
  web.on('/reset-body', (_request, reply) => {
    reply.writeHead(200)
    reply.write('half', () => reply.destroy())
  })
  web.on('/header-flood', (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\n' + `x-flood: ${'y'.repeat(1000)}\r\n`.repeat(60) + '\r\nbody')
  })
  web.on('/no-http', (request) => { request.socket.end('220 mail.example ESMTP\r\n') })
  web.on('/bad-chunk', (request) => {
    request.socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n')
  })
  redirect('/loop', '/loop')
  redirect('/ping', '/pong', 307)
  redirect('/pong', '/ping', 308)
  redirect('/to-private', elsewhere)
  redirect('/to-metadata', 'http://169.254.169.254/latest/meta-data/')
  redirect('/to-file', 'file:///etc/passwd')
  redirect('/to-userinfo', `http://user:secret@${web.host}/`)
  return {
    '/bomb-gzip': 'bomb',
    '/bomb-br': 'bomb',
    '/bomb-twice': 'bomb',
    '/three-layers': 'bad_encoding',
    '/unknown-encoding': 'bad_encoding',
    '/broken-gzip': 'bad_encoding',
    '/cut-gzip': 'bad_encoding',
    '/broken-deflate': 'bad_encoding',
    '/large': 'too_large',
    '/large-said': 'too_large',
    '/large-chunked': 'too_large',
    '/short': 'connect_failed',
    '/silent': 'timeout',
    '/stall': 'timeout',
    '/drip': 'too_slow',
    '/reset': 'connect_failed',
    '/reset-body': 'connect_failed',
    '/header-flood': 'too_large',
    '/no-http': 'connect_failed',
    '/bad-chunk': 'connect_failed',
    '/loop': 'redirect_limit',
    '/ping': 'redirect_limit',
    '/to-private': 'forbidden_target',
    '/to-metadata': 'forbidden_target',
    '/to-file': 'bad_url',
    '/to-userinfo': 'bad_url'
  }
}
