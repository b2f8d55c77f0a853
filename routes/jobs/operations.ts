import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { IdParams, OperationSchema, ref } from '../../src/kernel/schemas.ts'

const operations: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/operations/:id', {
    schema: {
      operationId: 'getOperation',
      tags: ['jobs'],
      summary: 'How a long task gets on',
      params: ref(IdParams),
      response: { 200: ref(OperationSchema) }
    },
    config: {
      auth: { by: ['session', 'apiKey'], permission: 'jobs:operation:read', owner: 'param:id' }, limit: 'read'
    }
  }, async (request) => await app.runs.operation(request.actor, request.params.id))

  app.post('/operations/:id/cancel', {
    schema: {
      operationId: 'cancelOperation',
      tags: ['jobs'],
      summary: 'End a long task that you started: at once where it waits, else when it has stopped',
      params: ref(IdParams),
      response: { 200: ref(OperationSchema) }
    },
    config: {
      auth: { by: ['session', 'apiKey'], permission: 'jobs:operation:cancel', owner: 'param:id' },
      limit: 'write',
      idempotency: 'optional'
    }
  }, async ({ actor, params: { id } }) => await app.operations.cancel(actor, id))
}

export default operations
