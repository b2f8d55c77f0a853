import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { IncomingEventsSchema, IngestResultSchema } from '../../src/analytics/index.ts'
import { OneOf, ref } from '../../src/kernel/schemas.ts'

const events: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/events', {
    schema: {
      operationId: 'recordEvents',
      tags: ['analytics'],
      summary: 'Keep events, each id once',
      querystring: Type.Object({
        ack: Type.Optional(OneOf(['durable'])), results: Type.Optional(OneOf(['all']))
      }, { additionalProperties: false }),
      body: ref(IncomingEventsSchema),
      response: { 202: ref(IngestResultSchema) }
    },
    config: { auth: { by: ['session'], permission: 'analytics:event:write' }, limit: 'write' }
  }, async (request, reply) => {
    const isVerbose = request.query.results === 'all'
    const result = await app.analyticsDomain.record(request.actor, request.body.events, { isVerbose })
    return await reply.code(202).send(result)
  })
}

export default events
