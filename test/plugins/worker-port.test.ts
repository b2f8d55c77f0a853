import { networkInterfaces } from 'node:os'
import Fastify, { type FastifyInstance } from 'fastify'
import { test, type Test } from 'tap'
import { startWorkerHealth } from '../../plugins/http/health.ts'
import telemetry from '../../plugins/telemetry.ts'

const signal = [{ queue: 'fast' as const, required: 2, current: 1, reason: 'because' }]

async function startPort (t: Test, host: string): Promise<string> {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(async () => { await app.close() })
  await app.register(telemetry, { role: 'worker', version: '0' })
  app.decorate('scaling', async () => signal)
  return await startWorkerHealth(app, { host, port: 0 })
}

/** Another address of this machine than the one that loopback listens on. */
const other = Object.values(networkInterfaces()).flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.2'
const fromElsewhere = (address: string): string => address.replace('127.0.0.1', other)

test('the port of a worker: on loopback for this machine, on every address for readers elsewhere', async (t) => {
  const own = await startPort(t, '127.0.0.1')
  t.match(own, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.same(await (await fetch(`${own}/scaling`)).json(), signal)
  await t.rejects(fetch(`${fromElsewhere(own)}/scaling`))

  const open = await startPort(t, '0.0.0.0')
  t.match(open, /^http:\/\/127\.0\.0\.1:\d+$/, 'a wildcard is no address to call')
  t.same(await (await fetch(`${fromElsewhere(open)}/scaling`)).json(), signal)
  t.match(await (await fetch(`${fromElsewhere(open)}/metrics`)).text(), /process_cpu/)
  for (const path of ['/health', '/health/live', '/health/ready']) {
    t.equal((await fetch(`${fromElsewhere(open)}${path}`)).status, 200, path)
  }
})
