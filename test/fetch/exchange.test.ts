// What a request leaves behind: nothing, however it ends.
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Dispatcher } from 'undici'
import { createFetchClient, type ClientOptions } from '../../plugins/fetch/client.ts'
import { send } from '../../plugins/fetch/exchange.ts'
import { createWatch } from '../../plugins/fetch/watch.ts'
import { profiles } from '../../src/fetch/index.ts'
import type { Breakers } from '../../src/kernel/index.ts'
import { startWeb } from '../stand-ins/web.ts'

const breakers: Breakers = { call: async (_name, work) => await work() }

function client (t: Test, options: Partial<ClientOptions> = {}) {
  const made = createFetchClient({ allow: [], userAgent: 'Switchyard/0 (+https://switchyard.example)', breakers, ...options })
  t.teardown(async () => { await made.close() })
  return made
}

async function web (t: Test) {
  const made = await startWeb()
  t.teardown(async () => { await made.close() })
  return made
}

t.test('who gives up, or runs out of time, while a connection is being made is answered at once', async (t) => {
  const sockets: Socket[] = []
  const mute = createServer((socket) => { sockets.push(socket.on('error', () => {})) }).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  t.teardown(() => { mute.close() })
  const host = `127.0.0.1:${(mute.address() as AddressInfo).port}`
  const fetch = client(t, { allow: [host], limits: { page: { ...profiles.page, firstByteMs: 300 } } })
  const since = performance.now()
  await t.rejects(fetch.buffer('page', { url: `https://${host}/` }), { code: 'fetch.timeout' })
  const signal = AbortSignal.timeout(100)
  await t.rejects(fetch.buffer('file', { url: `https://${host}/` }, { signal }), { name: 'TimeoutError' })
  t.ok(performance.now() - since < 3000, 'a connection may take 10 s')
  for (const socket of sockets) socket.destroy()
})

t.test('who gave up before asks nobody', async (t) => {
  const good = await web(t)
  const reason = new Error('not any more')
  await t.rejects(client(t, { allow: [good.host] })
    .buffer('page', { url: `${good.origin}/` }, { signal: AbortSignal.abort(reason) }), reason)
  await sleep(100)
  t.equal(good.connections(), 0)
})

t.test('a redirect whose body never ends is let go with the answer', async (t) => {
  const good = await web(t)
  const closed = Promise.withResolvers<boolean>()
  good.on('/drip', (_request, reply) => {
    reply.writeHead(302, { location: '/end' }).write('there')
    reply.on('close', () => { closed.resolve(true) })
  })
  good.on('/end', (_request, reply) => { reply.end('here') })
  const fetch = client(t, { allow: [good.host] })
  t.equal((await fetch.buffer('page', { url: `${good.origin}/drip` })).body.toString(), 'here')
  t.equal(await Promise.race([closed.promise, sleep(5000, false)]), true)
})

t.test('a body that waits for its reader tells of its end when it is read, and nobody else', async (t) => {
  const slow = await web(t)
  slow.on('/', (_request, reply) => { reply.writeHead(200, { 'content-length': 9 }).write('begun') })
  const fetch = client(t, { allow: [slow.host], limits: { page: { ...profiles.page, totalMs: 200 } } })
  const { body } = await fetch.stream('page', { url: `${slow.origin}/` })
  await sleep(500)
  await t.rejects(body.toArray(), { code: 'fetch.timeout' })
  slow.on('/cut', (request, reply) => {
    reply.writeHead(200, { 'content-length': 9 }).write('begun', () => { request.socket.destroy() })
  })
  const cut = await fetch.stream('page', { url: `${slow.origin}/cut` })
  await sleep(100)
  const read: Buffer[] = []
  await t.rejects((async () => { for await (const piece of cut.body) read.push(piece as Buffer) })(), {
    code: 'fetch.connect_failed'
  })
  t.equal(Buffer.concat(read).toString(), 'begun', 'what came is there')
})

t.test('a host waits for who reads slowly or not at all, and is broken off when nobody wants it', async (t) => {
  const big = await web(t)
  const fetch = client(t, { allow: [big.host] })
  for (const isBegun of [false, true]) {
    const closed = Promise.withResolvers<number>()
    big.on('/', (request, reply) => {
      reply.writeHead(200)
      const piece = Buffer.alloc(64 * 1024)
      const more = () => { while (reply.write(piece)); }
      reply.on('drain', more).on('close', () => { closed.resolve(request.socket.bytesWritten) })
      more()
    })
    const { body } = await fetch.stream('file', { url: `${big.origin}/` })
    if (isBegun) await body.iterator({ destroyOnReturn: false }).next()
    await sleep(300)
    body.destroy()
    const sent = await closed.promise
    t.ok(sent < 16 * 1024 * 1024, `${sent} bytes were sent; the system's own buffers hold some of them`)
  }
})

t.test('a reader hears of the end once, and nothing after it', async (t) => {
  const controller = { pause () {}, resume () {}, abort () {} } as unknown as Dispatcher.DispatchController
  const pool = {
    dispatch (_request: unknown, handler: Dispatcher.DispatchHandler) {
      handler.onRequestStart?.(controller, {})
      handler.onResponseStart?.(controller, 200, {})
      for (const piece of ['a', 'b']) handler.onResponseData?.(controller, Buffer.from(piece))
      return true
    }
  } as unknown as Dispatcher
  const stop = new AbortController()
  const { body } = await send(pool, { path: '/', method: 'GET' }, createWatch(profiles.page, stop.signal))
  const heard: string[] = []
  body.read({
    take (piece) {
      heard.push(piece.toString())
      stop.abort(new Error('enough'))
    },
    end () { heard.push('end') },
    fail ({ message }) { heard.push(message) }
  })
  t.same(heard, ['a', 'enough'])
})
