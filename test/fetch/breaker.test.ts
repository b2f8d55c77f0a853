import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import breaker from '../../plugins/breaker.ts'

const app = Fastify()
await app.register(fp(async () => {}, { name: 'telemetry' }))
await app.register(breaker)
await app.ready()
t.teardown(async () => { await app.close() })

t.test('a service that fails ten times is left alone, and others are not', async (t) => {
  let calls = 0
  const fail = async () => {
    calls++
    throw new Error('down')
  }
  for (let n = 0; n < 10; n++) await t.rejects(app.breakers.call('a', fail), { message: 'down' })
  const open = await app.breakers.call('a', fail).catch((error: unknown) => error) as Error & { retryAfterMs: number }
  t.match(open, { name: 'CircuitOpenError' })
  t.ok(open.retryAfterMs > 10_000 && open.retryAfterMs <= 15_000)
  t.equal(calls, 10)
  t.equal(await app.breakers.call('b', async () => 'up'), 'up')
})

t.test('errors that say nothing about the service open nothing', async (t) => {
  const refused = new Error('refused')
  for (let n = 0; n < 30; n++) {
    await t.rejects(app.breakers.call('c', async () => { throw refused }, { counts: () => false }), refused)
  }
  t.equal(await app.breakers.call('c', async () => 'up'), 'up')
})
