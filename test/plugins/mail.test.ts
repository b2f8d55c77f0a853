import { connect, createServer, type Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import t from 'tap'
import errors from '../../plugins/errors.ts'
import mail from '../../plugins/mail.ts'
import telemetry from '../../plugins/telemetry.ts'
import { isDomainError, type Mail } from '../../src/kernel/index.ts'

const letter: Mail = {
  to: 'ann@example.org', subject: 'Hello', text: 'Good day', html: '<p>Good day</p>', messageId: 'm1@example.org'
}
const from = 'Switchyard <no-reply@example.org>'

interface Teardown { teardown (undo: () => unknown): unknown }

async function startServer (t: Teardown, options: SMTPServerOptions): Promise<{ url: string, port: number }> {
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'], authOptional: true, logger: false, closeTimeout: 200, ...options
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => { await new Promise<void>((resolve) => { server.close(() => { resolve() }) }) })
  const { port } = server.server.address() as { port: number }
  return { url: `smtp://127.0.0.1:${port}`, port }
}

async function boot (t: Teardown, options: { driver: 'smtp' | 'capture', url: string }): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  await app.register(mail, { ...options, from })
  await app.ready()
  return app
}

async function outcome (app: FastifyInstance, changes: Partial<Mail> = {}): Promise<string> {
  return await app.sendMail({ ...letter, ...changes })
    .then(() => 'sent', (error: unknown) => isDomainError(error) ? `${error.code} ${error.kind}` : String(error))
}

t.test('a mail arrives whole, over pooled connections', async (t) => {
  const seen: string[] = []
  let connections = 0
  const { url } = await startServer(t, {
    onConnect (_session, done) { connections++; done() },
    onData (stream, _session, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => { text += chunk.toString() })
      stream.on('end', () => { seen.push(text); done() })
    }
  })
  const app = await boot(t, { driver: 'smtp', url })
  for (let n = 0; n < 5; n++) t.equal(await outcome(app, { messageId: `m${n}@example.org` }), 'sent')
  t.match(seen[0], /^Message-ID: <m0@example.org>\r$/m)
  t.match(seen[0], /^From: Switchyard <no-reply@example.org>\r$/m)
  t.match(seen[0], /^Auto-Submitted: auto-generated\r$/m)
  t.match(seen[0], /text\/plain[\s\S]*Good day[\s\S]*text\/html[\s\S]*<p>Good day<\/p>/)
  t.ok(connections <= 3, 'one to verify, the rest from the pool')
})

t.test('nothing of a header comes out of a value', async (t) => {
  const seen: string[] = []
  const { url } = await startServer(t, {
    onData (stream, _session, done) {
      stream.on('data', (chunk: Buffer) => { seen.push(chunk.toString()) })
      stream.on('end', () => { done() })
    }
  })
  const app = await boot(t, { driver: 'smtp', url })
  for (const to of [
    'a@example.org\r\nBcc: b@example.org', 'a@example.org, b@example.org', 'A <a@example.org>', 'a', '@', 'a@', ''
  ]) {
    t.equal(await outcome(app, { to }), 'mail.address_invalid invalid', JSON.stringify(to))
  }
  t.equal(await outcome(app, { messageId: 'x\r\nBcc: b@example.org' }), 'mail.address_invalid invalid')
  t.equal(await outcome(app, { subject: 'Hello\r\nBcc: b@example.org\u0000' }), 'sent')
  t.match(seen.join(''), /^Subject: Hello Bcc: b@example.org\r$/m)
  t.notMatch(seen.join(''), /^Bcc:/m)
})

t.test('each answer of a server means what may be done next', async (t) => {
  const answers: Array<[string, string]> = [
    ['550 5.1.1 No such user', 'mail.target_gone not_found'],
    ['550 No such user', 'mail.target_gone not_found'],
    ['550 5.7.1 Policy', 'mail.content_refused invalid'],
    ['552 5.3.4 Too big', 'mail.content_refused invalid'],
    ['554 5.7.0 Spam', 'mail.content_refused invalid'],
    ['451 4.3.0 Later', 'mail.not_accepted unavailable'],
    ['421 4.3.2 Going down', 'mail.not_accepted unavailable'],
    ['450 4.7.1 Slower', 'mail.throttled rate_limited'],
    ['530 5.7.0 Authenticate first', 'mail.misconfigured unavailable']
  ]
  let next = ''
  const { url } = await startServer(t, {
    onRcptTo (_address, _session, done) {
      done(Object.assign(new Error(next.slice(4)), { responseCode: Number(next.slice(0, 3)) }))
    }
  })
  const app = await boot(t, { driver: 'smtp', url })
  for (const [answer, expected] of answers) {
    next = answer
    t.equal(await outcome(app), expected, answer)
  }
})

t.test('a connection lost after the mail went over is uncertain, one lost before is not', async (t) => {
  const sockets = new Set<Socket>()
  const { url } = await startServer(t, {
    onData (stream) {
      stream.resume()
      // The whole mail is here, and the answer never leaves.
      stream.on('end', () => { for (const socket of sockets) socket.destroy() })
    }
  })
  const relay = await startRelay(t, url, sockets)
  const app = await boot(t, { driver: 'smtp', url: relay.url })
  t.equal(await outcome(app), 'mail.ambiguous conflict')
  relay.stop()
  t.equal(await outcome(app), 'mail.not_accepted unavailable')
})

async function startRelay (t: Teardown, target: string, sockets: Set<Socket>) {
  const { port, hostname } = new URL(target)
  const relay = createServer((socket) => {
    const upstream = connect(Number(port), hostname)
    for (const one of [socket, upstream]) {
      sockets.add(one)
      one.on('error', () => undefined).on('close', () => { sockets.delete(one); socket.destroy(); upstream.destroy() })
    }
    socket.pipe(upstream)
    upstream.pipe(socket)
  })
  await new Promise<void>((resolve) => { relay.listen(0, '127.0.0.1', resolve) })
  const stop = (): void => {
    relay.close()
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(stop)
  return { url: `smtp://127.0.0.1:${(relay.address() as { port: number }).port}`, stop }
}

t.test('boot says what to do when no server answers, without the secret', async (t) => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  const error = await Promise.resolve(app.register(mail, { driver: 'smtp', url: 'smtp://user:hunter2@127.0.0.1:1', from })).then(() => null, (thrown: unknown) => thrown as Error)
  t.equal(error?.message, 'SMTP_URL: no mail server takes us at 127.0.0.1:1. Start one, or set MAIL_DRIVER=capture.')
})

t.test('the capture driver hands mails to who keeps them', async (t) => {
  const app = await boot(t, { driver: 'capture', url: '' })
  const kept: Mail[] = []
  app.captureMails(async (one) => { kept.push(one) })
  t.equal(await outcome(app), 'sent')
  t.same(kept, [letter])
  t.equal(await outcome(app, { to: 'a@example.org\r\n' }), 'mail.address_invalid invalid')
  t.equal(kept.length, 1)
})
