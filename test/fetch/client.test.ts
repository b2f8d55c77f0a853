import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createFetchClient, type ClientOptions } from '../../plugins/fetch/client.ts'
import { isDeniedAddress, profiles } from '../../src/fetch/index.ts'
import type { Breakers } from '../../src/kernel/index.ts'
import { addHostility } from '../stand-ins/hostility.ts'
import { rebindingLookup } from '../stand-ins/resolver.ts'
import { startWeb } from '../stand-ins/web.ts'

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
