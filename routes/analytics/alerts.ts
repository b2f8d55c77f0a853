import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { AlertPageSchema, AlertSchema, NewAlertSchema } from '../../src/analytics/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, pageQuery, ref } from '../../src/kernel/schemas.ts'

const read = { by: ['session'], permission: 'analytics:data:read' } as const
const write = { by: ['session'], permission: 'analytics:alert:write' } as const

const alerts: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/alerts', {
    schema: {
      operationId: 'addAlert',
      tags: ['analytics'],
      summary: 'Watch a count and tell people when it crosses a line',
      body: ref(NewAlertSchema),
      response: { 201: ref(AlertSchema) }
    },
    config: { auth: write, limit: 'write', idempotency: 'optional' }
  }, async (request, reply) => {
    const alert = await app.analyticsDomain.addAlert(request.actor, request.body)
    return await reply.code(201).header('location', `/v1/analytics/alerts/${alert.id}`).send(alert)
  })

  app.get('/alerts', {
    schema: {
      operationId: 'listAlerts',
      tags: ['analytics'],
      summary: 'Alert rules with their state, newest first',
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: { 200: ref(AlertPageSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async (request) => {
    const { actor, query: { limit = 25, cursor } } = request
    const scope = `${actor.workspaceId} listAlerts`
    const before = cursor === undefined ? undefined : String(app.cursors.decode(cursor, scope)[0])
    const rows = await app.analyticsDomain.listAlerts(actor, { before, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (alert) => alert })
  })

  app.get('/alerts/:id', {
    schema: {
      operationId: 'getAlert',
      tags: ['analytics'],
      summary: 'One alert rule',
      params: ref(IdParams),
      response: { 200: ref(AlertSchema) }
    },
    config: { auth: { ...read, owner: 'param:id:analytics.alert' }, limit: 'read' }
  }, async (request) => await app.analyticsDomain.access.alert(request.actor, request.params.id))

  app.delete('/alerts/:id', {
    schema: {
      operationId: 'removeAlert',
      tags: ['analytics'],
      summary: 'Remove an alert rule',
      params: ref(IdParams),
      response: { 204: Type.Null() }
    },
    config: { auth: { ...write, owner: 'param:id:analytics.alert' }, limit: 'write' }
  }, async (request, reply) => {
    await app.analyticsDomain.removeAlert(request.actor, request.params.id)
    return await reply.code(204).send(null)
  })
}

export default alerts
