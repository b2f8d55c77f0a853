import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createFetchClient, type ClientOptions } from '../../plugins/fetch/client.ts'
import { isDeniedAddress, profiles } from '../../src/fetch/index.ts'
import type { Breakers, FetchProfile } from '../../src/kernel/index.ts'
import { until } from '../jobs/rig.ts'
import { addHostility } from '../stand-ins/hostility.ts'
import { rebindingLookup } from '../stand-ins/resolver.ts'
import { startWeb, type Web } from '../stand-ins/web.ts'

const MiB = 1024 * 1024
const breakers: Breakers = { call: async (_name, work) => await work() }

function client (t: Test, options: Partial<ClientOptions> = {}) {
  const made = createFetchClient({ allow: [], userAgent: 'Switchyard/0 (+https://switchyard.example)', breakers, ...options })
  t.teardown(async () => { await made.close() })
  return made
}

async function web (t: Test, host?: string) {
  const made = await startWeb(host === undefined ? {} : { host })
  t.teardown(async () => { await made.close() })
  return made
}

async function codeOf (work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

t.test('no spelling of an address of ours is connected to', async (t) => {
  const ours = await Promise.all(['127.0.0.1', '::1'].map(async (host) => await web(t, host)))
  const fetch = client(t)
  const ports = ours.map(({ host }) => host.slice(host.lastIndexOf(':') + 1))
  const hosts = [
    '127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.0x0.0x0.0x1', '017700000001', '0177.0.0.1', '127.0.0.1.',
    'localhost', 'LOCALHOST.', 'x.localhost', '①②⑦.⓪.⓪.①', '127。0。0。1', '0', '0.0.0.0', '[::]', '[::1]',
    '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]', '[fe80::1]', '[fc00::1]', '169.254.169.254', '[fd00:ec2::254]', '10.0.0.1', '172.16.0.1',
    '192.168.0.1', '100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', 'metadata.google.internal'
  ]
  for (const host of hosts) {
    for (const port of ['', ...ports]) {
      const url = `http://${host}${port === '' ? '' : `:${port}`}/`
      t.match(await codeOf(fetch.buffer('page', { url })), /^fetch\.(forbidden_target|bad_url)$/, url)
    }
  }
  t.same(ours.map((one) => one.connections()), [0, 0])
})

t.test('a name is refused when one of its answers is ours, however often it changes its mind', async (t) => {
  const target = await web(t)
  const port = Number(target.host.split(':')[1])
  for (const answers of [['127.0.0.1'], ['93.184.216.34', '10.0.0.7'], ['::ffff:127.0.0.1'], ['64:ff9b::a00:1']]) {
    const fetch = client(t, { lookup: rebindingLookup(answers) })
    t.equal(await codeOf(fetch.buffer('page', { url: 'http://rebind.example/' })), 'fetch.forbidden_target')
    t.equal(await codeOf(fetch.check('https://rebind.example/', { httpsOnly: true })), 'fetch.forbidden_target')
  }
  const calls: string[] = []
  const lookup = async (host: string) => {
    calls.push(host)
    return calls.length === 1 ? ['127.0.0.9'] : ['127.0.0.1']
  }
  const pinned = client(t, { lookup, allow: [`rebind.example:${port}`] })
  const signal = AbortSignal.timeout(300)
  await pinned.buffer('page', { url: `http://rebind.example:${port}/` }, { signal }).catch(() => {})
  t.equal(calls.length, 1, 'the vetted answer is used, the name is not asked again by the socket')
  t.equal(target.connections(), 0)
})

t.test('what is outside the rules of an address is refused without a question to the resolver', async (t) => {
  let asked = 0
  const fetch = client(t, { lookup: async () => { asked++; return ['93.184.216.34'] } })
  const bad = ['', 'x', 'ftp://example.com/', 'file:///etc/passwd', 'javascript:alert(1)', 'http://a:b@example.com/',
    `http://example.com/${'x'.repeat(2083)}`, 'http:///', 'http://[::1', 'http://exa mple.com/']
  for (const url of bad) t.equal(await codeOf(fetch.check(url)), 'fetch.bad_url', url)
  for (const url of ['http://example.com:22/', 'https://example.com:8443/']) {
    t.equal(await codeOf(fetch.check(url)), 'fetch.forbidden_target', url)
  }
  t.equal(await codeOf(fetch.check('http://example.com/', { httpsOnly: true })), 'fetch.forbidden_target')
  t.equal(asked, 0)
  t.equal((await fetch.check('https://example.com/a')).href, 'https://example.com/a')
  t.equal(await codeOf(fetch.buffer('callback', { url: 'https://example.com/', method: 'GET' })), 'fetch.bad_url')
})

t.test('global addresses are global, and the rest is not', async (t) => {
  const global = ['8.8.8.8', '93.184.216.34', '172.32.0.1', '192.0.1.1', '2606:2800:220:1::1', '64:ff9b::808:808']
  for (const address of global) {
    t.notOk(isDeniedAddress(address), address)
  }
  for (const address of ['fe80::1%eth0', '3fff::1', '2001:db8::1', '2001::1', '::', '4000::1', 'ff02::1', 'nonsense']) {
    t.ok(isDeniedAddress(address), address)
  }
  t.ok(isDeniedAddress('8.8.8.8', new Set(['8.8.8.8'])), 'an address of this machine')
})

t.test('a hostile server gets the right code and no memory', async (t) => {
  const hostile = await web(t)
  const victim = await web(t)
  const expected = addHostility(hostile, `${victim.origin}/secret`)
  const limits = { ...profiles.page, firstByteMs: 400, idleMs: 300, rate: { bytes: 1024, windowMs: 400 } }
  const fetch = client(t, { allow: [hostile.host], limits: { page: limits } })
  const before = process.memoryUsage().rss
  for (const [path, code] of Object.entries(expected)) {
    t.equal(await codeOf(fetch.buffer('page', { url: hostile.origin + path })), `fetch.${code}`, path)
  }
  t.equal(victim.connections(), 0)
  t.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024, 'memory stays')
})

/** Pieces without an end, one each `everyMs` or as fast as they go; tells what was taken, and how many still take. */
function pourEndlessly (web: Web, path: string, { piece, headers = {}, everyMs }: {
  piece: Buffer, headers?: Record<string, string>, everyMs?: number
}) {
  const taken = { bytes: 0, open: 0 }
  web.on(path, (_request, reply) => {
    taken.open++
    reply.on('close', () => { taken.open-- }).writeHead(200, headers)
    const more = () => {
      reply.write(piece, (error) => {
        if (error != null || reply.destroyed) return
        taken.bytes += piece.length
        if (everyMs === undefined) setImmediate(more)
        else setTimeout(more, everyMs)
      })
    }
    more()
  })
  return taken
}

type Client = ReturnType<typeof client>

/** The ways to take a body: at once, and piece by piece. */
const ways: Record<string, (fetch: Client, url: string) => Promise<void>> = {
  async buffer (fetch, url) { await fetch.buffer('page', { url }, { signal: AbortSignal.timeout(10_000) }) },
  async stream (fetch, url) {
    const { body } = await fetch.stream('page', { url }, { signal: AbortSignal.timeout(10_000) })
    for await (const piece of body) void piece
  }
}

t.test('a body without an end is taken up to the cap, packed or not, and let go', async (t) => {
  const endless = await web(t)
  const plain = randomBytes(64 * 1024)
  const bodies = {
    '/plain': pourEndlessly(endless, '/plain', { piece: plain }),
    '/packed': pourEndlessly(endless, '/packed', { piece: gzipSync(plain), headers: { 'content-encoding': 'gzip' } })
  }
  const fetch = client(t, { allow: [endless.host], limits: { page: { ...profiles.page, body: MiB } } })
  // What both ends of a connection may hold that nobody has read.
  const sockets = 16 * MiB
  for (const [path, taken] of Object.entries(bodies)) {
    for (const [way, take] of Object.entries(ways)) {
      taken.bytes = 0
      t.equal(await codeOf(take(fetch, endless.origin + path)), 'fetch.too_large', `${way} ${path}`)
      await until('the connection is closed', () => taken.open === 0)
      t.ok(taken.bytes < MiB + sockets, `${way} ${path}: ${taken.bytes} bytes were taken`)
    }
  }
})

t.test('what is packed evenly, far below the ratio of a bomb, is unpacked up to the cap', async (t) => {
  const even = await web(t)
  // About 20 to 1; what is sent is a small page.
  const thin = Buffer.concat([randomBytes(3 * 1024), Buffer.alloc(61 * 1024)])
  for (const size of [15, 20]) {
    const packed = gzipSync(Buffer.alloc(size * MiB).fill(thin))
    t.ok(packed.length < 2 * MiB && packed.length * 50 > size * MiB)
    even.on(`/${size}`, (_request, reply) => { reply.writeHead(200, { 'content-encoding': 'gzip' }).end(packed) })
  }
  const fetch = client(t, { allow: [even.host] })
  t.equal((await fetch.buffer('page', { url: `${even.origin}/15` })).body.length, 15 * MiB)
  t.equal(await codeOf(fetch.buffer('page', { url: `${even.origin}/20` })), 'fetch.bomb')
  const { body } = await fetch.stream('page', { url: `${even.origin}/20` })
  let bytes = 0
  const count = async () => { for await (const piece of body) bytes += (piece as Buffer).length }
  t.equal(await codeOf(count()), 'fetch.bomb')
  t.ok(bytes > 8 * MiB && bytes <= 16 * MiB, `${bytes} bytes were handed on`)
})

t.test('a host that sends fast enough and never ends has so much time and no more', async (t) => {
  const steady = await web(t)
  pourEndlessly(steady, '/', { piece: Buffer.alloc(4096), everyMs: 20 })
  const totalMs = 700
  const limits = { ...profiles.page, totalMs, rate: { bytes: 1024, windowMs: 100 } }
  const fetch = client(t, { allow: [steady.host], limits: { page: limits } })
  for (const [way, take] of Object.entries(ways)) {
    const since = performance.now()
    t.equal(await codeOf(take(fetch, `${steady.origin}/`)), 'fetch.timeout', way)
    const ms = performance.now() - since
    t.ok(ms >= totalMs && ms < 5000, `${way}: ended after ${Math.round(ms)} ms`)
  }
})

t.test('as many redirects as the purpose bears are followed, and not one more', async (t) => {
  const chain = await web(t)
  chain.on('/left', ({ url }, reply) => {
    const left = Number(url?.split('?')[1])
    if (left === 0) reply.end('end')
    else reply.writeHead(307, { location: `/left?${left - 1}` }).end()
  })
  const fetch = client(t, { allow: [chain.host] })
  const most: Record<FetchProfile, number> = { page: 5, feed: 5, probe: 5, file: 5, image: 3, callback: 3, api: 3 }
  for (const [profile, redirects] of Object.entries(most) as Array<[FetchProfile, number]>) {
    const { status, hops, finalUrl } = await fetch.buffer(profile, { url: `${chain.origin}/left?${redirects}` })
    t.same([status, hops.length, finalUrl], [200, redirects, `${chain.origin}/left?0`], profile)
    const url = `${chain.origin}/left?${redirects + 1}`
    t.equal(await codeOf(fetch.buffer(profile, { url })), 'fetch.redirect_limit', profile)
    t.equal(chain.requests.at(-1)?.path, '/left?1', `${profile}: the last one is not followed`)
  }
})

t.test('redirects drop credentials across origins, and a platform may not send us elsewhere', async (t) => {
  const [one, two] = [await web(t), await web(t)]
  one.on('/go', (_request, reply) => { reply.writeHead(302, { location: `${two.origin}/end` }).end() })
  one.on('/stay', (_request, reply) => { reply.writeHead(307, { location: '/end' }).end() })
  for (const each of [one, two]) each.on('/end', (_request, reply) => { reply.end('end') })
  const fetch = client(t, { allow: [one.host, two.host] })
  const headers = { Authorization: 'Bearer secret', Cookie: 'a=b', 'X-Other': 'kept' }
  const answer = await fetch.buffer('page', { url: `${one.origin}/go`, headers })
  t.same([answer.finalUrl, answer.hops, answer.body.toString()], [`${two.origin}/end`, [`${one.origin}/go`], 'end'])
  t.match(two.requests[0]?.headers, { 'x-other': 'kept', 'user-agent': /^Switchyard\/0 \(\+https/ })
  t.notOk(two.requests[0]?.headers['authorization'])
  t.notOk(two.requests[0]?.headers['cookie'])
  t.equal(await codeOf(fetch.buffer('api', { url: `${one.origin}/go`, headers })), 'fetch.forbidden_target')
  await fetch.buffer('api', { url: `${one.origin}/stay`, method: 'POST', body: '{}', headers })
  t.match(one.requests.at(-1), { method: 'POST', path: '/end', headers: { authorization: 'Bearer secret' } })
  t.equal(two.requests.length, 1)
})

t.test('a good server is read unpacked over one connection, also after a HEAD', async (t) => {
  const good = await web(t)
  good.on('/plain', (_request, reply) => { reply.end('plain') })
  good.on('/double', (_request, reply) => {
    reply.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(gzipSync(gzipSync('hello')))
  })
  const fetch = client(t, { allow: [good.host] })
  t.equal((await fetch.buffer('page', { url: `${good.origin}/double` })).body.toString(), 'hello')
  await fetch.buffer('probe', { url: `${good.origin}/plain`, method: 'HEAD' })
  const { body, timings } = await fetch.stream('page', { url: `${good.origin}/plain` })
  let text = ''
  for await (const piece of body) text += String(piece)
  t.equal(text, 'plain')
  t.ok(timings.firstByteMs >= 0)
  t.ok(good.connections() <= 2, 'a second one only while the first ends its turn')
  const signal = AbortSignal.abort(new Error('stop'))
  await t.rejects(fetch.buffer('page', { url: `${good.origin}/plain` }, { signal }), { message: 'stop' })
})
