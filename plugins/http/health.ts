import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import { definePermissions } from '../../src/kernel/index.ts'
import { At, OneOf } from '../../src/kernel/schemas.ts'
import { answerHealth, type HealthPath } from './health/answers.ts'
import { createProbe } from './health/checks.ts'

export { startWorkerHealth } from './health/worker.ts'

const status = OneOf(['pass', 'warn', 'fail'])

const HealthSchema = Type.Object({
  status,
  checks: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Object({
    status, observedAt: At, ms: Type.Integer({ minimum: 0 })
  }, { additionalProperties: false })))
}, { $id: 'Health', additionalProperties: false })

const permissions = definePermissions('platform', {
  'metrics:read': { kind: 'read', roles: ['operator'], sentence: 'Read the figures of the installation.' }
})

const routes: ReadonlyArray<{ path: HealthPath, operationId: string, summary: string }> = [
  { path: '/health', operationId: 'getHealth', summary: 'All checks of this process' },
  { path: '/health/live', operationId: 'getLiveness', summary: 'Whether the process turns' },
  { path: '/health/ready', operationId: 'getReadiness', summary: 'Whether the process may get requests' },
  { path: '/health/startup', operationId: 'getStartup', summary: 'Whether the process has started' }
]

export default fp<{ offline?: boolean }>(async function health (app, { offline = false }) {
  const probe = createProbe(app.healthChecks, app.log)
  let isReady = false
  app.declare({ domain: 'health', permissions, schemas: [HealthSchema] })

  for (const { path, ...words } of routes) {
    app.get(path, {
      schema: { ...words, tags: ['health'], response: { 200: { $ref: 'Health#' }, 503: { $ref: 'Health#' } } },
      config: { auth: { public: 'Probes of the orchestrator carry no identity.' }, limit: 'free' }
    }, async (_request, reply: FastifyReply) => {
      const answer = answerHealth(path, probe, { isReady, isDraining: app.healthChecks.isDraining() })
      reply.code(answer.status).header('cache-control', 'no-store').type('application/health+json')
      return await reply.send(answer.body)
    })
  }
  app.get('/metrics', {
    schema: {
      operationId: 'getMetrics', tags: ['health'], summary: 'Figures in the text form of Prometheus',
      response: { 200: { type: 'string', description: 'Prometheus text' } }
    },
    config: { auth: { by: ['session', 'apiKey'], permission: 'platform:metrics:read' }, limit: 'free' }
  }, async (_request, reply: FastifyReply) => {
    const text = await app.metrics.metrics()
    return await reply.type(app.metrics.contentType).send(text)
  })

  app.addHook('onReady', async () => {
    if (!offline) await probe.start()
    isReady = true
  })
  app.addHook('onClose', async () => { await probe.stop() })
}, { name: 'health', dependencies: ['telemetry', 'errors', 'auth'] })
