// What only shows on a real connection: the head of an answer as it is sent, refused upgrades, the line of a request.
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { echo, floor, mine, open, words } from './floor.ts'

const varying = new Set(['date', 'connection', 'keep-alive', 'x-request-id', 'ratelimit', 'content-length'])

t.test('the head of an answer on the wire is the one of an injected request', async (t) => {
  const app = await floor(t, (child) => {
    echo(child)
    child.get('/mine', { schema: words(), config: mine }, async () => ({}))
    child.get('/framed', { schema: words(), config: open }, async (_request, reply) => {
      reply.headers({ 'content-security-policy': "default-src 'self'", 'referrer-policy': 'origin' })
      return {}
    })
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const headers = { authorization: 'Bearer ann', origin: 'https://friend.test' }
  for (const url of ['/things', '/mine', '/framed', '/nowhere', '/things?limti=1']) {
    const real = await fetch(address + url, { headers })
    await real.text()
    const injected = await app.inject({ url, headers })
    t.equal(real.status, injected.statusCode, url)
    t.match(real.headers.get('x-request-id'), /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
    const ours = (entries: Iterable<[string, unknown]>) => [...entries]
      .filter(([name]) => !varying.has(name))
      .map(([name, value]) => `${name}: ${String(value)}`).sort()
    t.same(ours(real.headers.entries()), ours(Object.entries(injected.headers)), url)
  }
  const mineHeaders = (await fetch(`${address}/mine`, { headers })).headers
  t.match(mineHeaders.get('ratelimit'), /^"read";r=\d+;t=1$/)
})

t.test('an upgrade that nobody takes is answered, and its connection closed', async (t) => {
  const app = await floor(t, echo)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  const text = await new Promise<string>((resolve, reject) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    }).on('data', (bytes) => { got += String(bytes) }).on('close', () => { resolve(got) }).on('error', reject)
  })
  t.match(text, /^HTTP\/1.1 404 /)
})

t.test('a request leaves its line, also when the process ends at once', async (t) => {
  const script = `
    import { floor, echo } from '${join(import.meta.dirname, 'floor.ts')}'
    const app = await floor({ teardown () {} }, echo, { LOG_LEVEL: 'info' })
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const ask = async (path, options) => { await (await fetch(address + path, options)).text() }
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await ask('/things?limit=5', { headers: { 'x-request-id': 'quoted"and-more' } })
    await ask('/nowhere', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
    await ask('/health/live')
    await ask('/things', { headers: { traceparent } })
    await fetch(address + '/things', { signal: AbortSignal.timeout(2000) })
    await new Promise((resolve) => { setImmediate(resolve) })
    process.exit(0)`
  const { stdout } = await promisify(execFile)(
    process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', script]
  )
  const lines = stdout.split('\n').filter((line) => line.includes('"msg":"request"')).map((line) => JSON.parse(line))
  t.match(lines, [
    { level: 30, role: 'server', method: 'GET', route: '/things', operationId: String, status: 200, ip: '127.0.0.0' },
    { method: 'POST', route: '', status: 404, code: 'http.route_not_found', bytesIn: 2, bytesOut: Number },
    { method: 'GET', route: '/things', status: 200, traceId: '0af7651916cd43dd8448eb211c80319c' },
    { method: 'GET', status: 200 }
  ])
  t.equal(lines.length, 4, 'probes of health leave none')
  t.equal(lines[0].traceId, lines[0].requestId.replaceAll('-', ''))
  t.type(lines[0].ms, 'number')
})
