// Safe fetch against hosts that play by the rules, more or less.
import type { ServerOptions } from 'node:https'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { deflateRawSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createFetchClient, type ClientOptions } from '../../plugins/fetch/client.ts'
import { profiles } from '../../src/fetch/index.ts'
import type { Breakers, DomainError } from '../../src/kernel/index.ts'
import { createAuthority } from '../stand-ins/certificates.ts'
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

t.test('a probe reads the beginning and no more, a caller may declare a port, and connections are kept', async (t) => {
  const good = await web(t)
  good.on('/long', (_request, reply) => { reply.end(Buffer.alloc(1_000_000, 'x')) })
  good.on('/plain', (_request, reply) => { reply.end('plain') })
  const port = Number(good.host.split(':')[1])
  const asked: string[] = []
  const fetch = client(t, { allow: [good.host], lookup: async (host) => { asked.push(host); return ['10.0.0.1'] } })
  const probed = await fetch.buffer('probe', { url: `${good.origin}/long`, method: 'GET' })
  t.same([probed.status, probed.body.length, probed.bytes.packed], [200, 65_536, 65_536])
  for (let n = 0; n < 20; n++) {
    await fetch.buffer('probe', { url: `${good.origin}/plain`, method: 'HEAD' })
  }
  t.ok(good.connections() <= 3, `20 HEAD over ${good.connections() - 1} more`)
  t.equal(await codeOf(fetch.check(`http://example.com:${port}/`)), 'fetch.forbidden_target')
  t.same(asked, [], 'a port is refused before its name is asked for')
  const declared = fetch.buffer('page', { url: `http://example.com:${port}/`, ports: [port] })
  t.equal(await codeOf(declared), 'fetch.forbidden_target')
  t.same(asked, ['example.com'], 'a declared port is no address')
  t.equal(await codeOf(fetch.check('https://example.com:80/')), 'fetch.forbidden_target')
})

t.test('an answer says where it came from, how long it took and how much it was', async (t) => {
  const good = await web(t)
  const text = Buffer.alloc(40_000, 'hello ')
  good.on('/a', (_request, reply) => { reply.writeHead(302, { location: '/b' }).end('over there') })
  good.on('/b', (_request, reply) => { reply.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(text)) })
  good.on('/bare', (_request, reply) => {
    reply.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateRawSync(text))
  })
  good.on('/nothing', (_request, reply) => { reply.writeHead(200, { 'content-encoding': 'gzip' }).end() })
  good.on('/umlaut', (_request, reply) => {
    reply.writeHead(302, { location: Buffer.from('/ü').toString('latin1') }).end()
  })
  good.on('/%C3%BC', (_request, reply) => { reply.end('ü') })
  const fetch = client(t, { allow: [good.host] })
  const headers = { host: 'other.example', 'transfer-encoding': 'chunked', accept: 'text/html' }
  const answer = await fetch.buffer('page', { url: `${good.origin}/a`, headers })
  t.same([answer.finalUrl, answer.hops, answer.status], [`${good.origin}/b`, [`${good.origin}/a`], 200])
  t.same(answer.bytes, { packed: gzipSync(text).length, unpacked: text.length })
  const { dnsMs, firstByteMs, totalMs } = answer.timings
  t.ok(dnsMs >= 0 && firstByteMs > 0 && totalMs >= firstByteMs, JSON.stringify(answer.timings))
  t.equal(answer.timings.totalMs, totalMs, 'the clock stands when the body is over')
  t.match(good.requests.at(-1)?.headers, { host: good.host, accept: 'text/html' })
  t.same((await fetch.buffer('page', { url: `${good.origin}/bare` })).body, text)
  t.equal((await fetch.buffer('page', { url: `${good.origin}/nothing` })).body.length, 0)
  t.equal((await fetch.buffer('page', { url: `${good.origin}/umlaut` })).body.toString(), 'ü')
})

t.test('encryption is a result: who vouches, for which name, until when, and by which version', async (t) => {
  const authority = createAuthority()
  setDefaultCACertificates([...getCACertificates('default'), authority.cert])
  const day = 86_400_000
  const names = ['127.0.0.1']
  const good = authority.issue({ names })
  const expired = authority.issue({ names, from: new Date(Date.now() - 3 * day), to: new Date(Date.now() - day) })
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
  const cases: Array<[string, ServerOptions, RegExp | undefined]> = [
    ['good', good, undefined],
    ['unknown authority', createAuthority('Nobody').issue({ names }), /UNABLE_TO|SELF_SIGNED/],
    ['another name', authority.issue({ names: ['other.example'] }), /ALTNAME/],
    ['expired', expired, /EXPIRED/],
    ['not yet', authority.issue({ names, from: new Date(Date.now() + day / 2) }), /NOT_YET_VALID/],
    ['old version', { ...good, ...old }, /PROTOCOL|VERSION|EPROTO|ALERT/]
  ]
  const plain = await web(t)
  plain.on('/', (_request, reply) => { reply.end('plain') })
  for (const [name, tls, reason] of cases) {
    const server = await startWeb({ tls })
    server.on('/', (_request, reply) => { reply.end('safe') })
    server.on('/down', (_request, reply) => { reply.writeHead(307, { location: `${plain.origin}/` }).end() })
    const fetch = client(t, { allow: [server.host, plain.host] })
    const asked = fetch.buffer('page', { url: `${server.origin}/` })
    if (reason === undefined) {
      t.equal((await asked).body.toString(), 'safe')
      for (const [profile, method] of [['file', 'GET'], ['callback', 'POST'], ['api', 'GET']] as const) {
        const down = fetch.buffer(profile, { url: `${server.origin}/down`, method })
        t.equal(await codeOf(down), 'fetch.redirect_downgrade', profile)
      }
      t.equal((await fetch.buffer('page', { url: `${server.origin}/down` })).body.toString(), 'plain')
    } else {
      const error = await asked.then(() => undefined, (thrown: unknown) => thrown) as DomainError | undefined
      t.equal(error?.code, 'fetch.tls_error', name)
      t.match(error?.details, { reason }, name)
    }
    await server.close()
  }
  t.equal(await codeOf(client(t, { allow: [plain.host] }).buffer('page', { url: `https://${plain.host}/` })), 'fetch.tls_error')
})

t.test('a name that nobody knows, and one whose server is silent', async (t) => {
  const unknown = client(t, { lookup: async () => { throw new Error('ENOTFOUND') } })
  t.equal(await codeOf(unknown.buffer('page', { url: 'http://nowhere.example/' })), 'fetch.dns_failed')
  const limits = { page: { ...profiles.page, firstByteMs: 100 } }
  const silent = client(t, { limits, lookup: async () => await new Promise<string[]>(() => {}) })
  t.equal(await codeOf(silent.buffer('page', { url: 'http://silent.example/' })), 'fetch.timeout')
})

t.test('a callback follows 307 and 308 only, with its body, and brings nothing elsewhere that names us', async (t) => {
  const [one, two] = [await web(t), await web(t)]
  one.on('/moved', (_request, reply) => { reply.writeHead(302, { location: '/end' }).end() })
  one.on('/same', (_request, reply) => { reply.writeHead(308, { location: `${two.origin}/end` }).end() })
  two.on('/end', (request, reply) => { request.pipe(reply) })
  const fetch = client(t, { allow: [one.host, two.host] })
  const headers = { 'x-api-key': 'secret', 'x-auth-token': 'secret', 'content-type': 'text/plain' }
  const ask = { method: 'POST', body: 'news', headers } as const
  t.equal((await fetch.buffer('callback', { ...ask, url: `${one.origin}/moved` })).status, 302)
  const told = await fetch.buffer('callback', { ...ask, url: `${one.origin}/same` })
  t.same([told.finalUrl, told.body.toString()], [`${two.origin}/end`, 'news'])
  t.same([two.requests[0]?.headers['x-api-key'], two.requests[0]?.headers['x-auth-token']], [undefined, undefined])
  t.match(two.requests[0], { method: 'POST', headers: { 'content-type': 'text/plain' } })
})
