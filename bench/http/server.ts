// One arm of the bench as a process: `node bench/http/server.ts ours|bare`. Tells its parent address and headers.
import Fastify from 'fastify'
import { Type } from 'typebox'
import { ref } from '../../src/kernel/schemas.ts'

const Item = Type.Object({
  id: Type.String({ maxLength: 36 }),
  name: Type.String({ maxLength: 80 }),
  tags: Type.Array(Type.String({ maxLength: 20 }), { maxItems: 20 }),
  text: Type.String({ maxLength: 2000 }),
  count: Type.Integer(),
  isOpen: Type.Boolean(),
  createdAt: Type.String({ maxLength: 32 })
}, { $id: 'BenchItem', additionalProperties: false })

/** About 1 KB as JSON. */
const item = {
  id: '0192f3a0-7c1e-7000-8000-000000000000',
  name: 'A prepared object',
  tags: ['one', 'two', 'three', 'four'],
  text: 'x'.repeat(820),
  count: 42,
  isOpen: true,
  createdAt: '2026-11-25T08:00:00.000Z'
}

interface Started { address: string, headers: Record<string, string>, close: () => Promise<void> }

async function bare (): Promise<Started> {
  const app = Fastify()
  app.addSchema(Item)
  app.get('/bench', { schema: { response: { 200: ref(Item) } } }, async () => item)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  return { address, headers: {}, close: async () => { await app.close() } }
}

async function ours (): Promise<Started> {
  const { testEnvironment } = await import('../../test/helper.ts')
  const { quickSignIn } = await import('../../test/identity/people.ts')
  const { buildApp, migrate } = await import('../../plugins/index.ts')
  const { loadConfig } = await import('../../src/config/index.ts')
  const config = loadConfig(testEnvironment({
    LOG_LEVEL: process.argv[3] ?? 'info',
    HTTP_FLOOD_PER_MIN: '100000000',
    HTTP_LIMIT_SCALE: '1000000',
    DOMAINS: 'identity'
  }))
  const app = await buildApp({ role: 'server', config })
  app.addSchema(Item)
  app.get('/bench', {
    schema: { operationId: 'bench', tags: ['bench'], summary: 'A prepared object', response: { 200: ref(Item) } },
    config: { auth: { by: ['session', 'apiKey'], permission: 'identity:member:read' }, limit: 'read' }
  }, async () => item)
  await migrate(config.mongo, app.registry.collections.values())
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const { headers } = await quickSignIn(app)
  return {
    address,
    headers,
    async close () {
      await app.db.dropDatabase()
      await app.close()
    }
  }
}

const { address, headers, close } = await (process.argv[2] === 'ours' ? ours() : bare())
process.on('message', (message) => {
  if (message === 'cpu') process.send?.(process.cpuUsage())
  else close().then(() => { process.exit(0) }, () => { process.exit(1) })
})
process.on('disconnect', () => { process.exit(1) })
process.send?.({ address, headers })
