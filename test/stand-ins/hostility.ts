// What a hostile web server does, behaviour by behaviour.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { Web } from './web.ts'

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
  web.on('/slow-headers', (request) => {
    request.socket.write('HTTP/1.1 200 OK\r\n')
    const timer = setInterval(() => request.socket.write('x-one: more\r\n'), 40)
    request.socket.on('close', () => clearInterval(timer))
  })
  web.on('/early-hints', (request) => {
    const timer = setInterval(() => request.socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'), 10)
    request.socket.on('close', () => clearInterval(timer))
  })
  web.on('/stall', (_request, reply) => { reply.writeHead(200).write('and then nothing') })
  web.on('/drip', (_request, reply) => {
    reply.writeHead(200).write('x')
    const timer = setInterval(() => reply.write('x'), 40)
    reply.on('close', () => clearInterval(timer))
  })
  web.on('/endless', (_request, reply) => {
    const more = () => { while (!reply.destroyed && reply.write(zeros)); }
    reply.writeHead(200).on('drain', more)
    more()
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
  // Ten MiB of empty members: little comes out of the second layer, whatever the first one makes.
  const empties = gzipSync(Buffer.alloc(10 * 1024 * 1024).fill(gzipSync('')))
  send('/bomb-hidden', { 'content-encoding': 'gzip, gzip' }, empties)
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
    '/bomb-hidden': 'bomb',
    '/three-layers': 'bad_encoding',
    '/unknown-encoding': 'bad_encoding',
    '/broken-gzip': 'bad_encoding',
    '/cut-gzip': 'bad_encoding',
    '/broken-deflate': 'bad_encoding',
    '/large': 'too_large',
    '/large-said': 'too_large',
    '/large-chunked': 'too_large',
    '/short': 'connect_failed',
    '/endless': 'too_large',
    '/silent': 'timeout',
    '/slow-headers': 'timeout',
    '/early-hints': 'timeout',
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
