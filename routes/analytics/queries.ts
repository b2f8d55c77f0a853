import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { EventNamesSchema, LiveMetricsSchema, QuerySchema, TableSchema } from '../../src/analytics/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

const auth = { by: ['session'], permission: 'analytics:data:read' } as const

const queries: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/queries', {
    schema: {
      operationId: 'queryAnalytics',
      tags: ['analytics'],
      summary: 'Count events of a range, by time and property',
      body: ref(QuerySchema),
      response: { 200: ref(TableSchema) }
    },
    config: { auth, limit: 'search' }
  }, async (request) => await app.analyticsDomain.query(request.actor, request.body))

  app.get('/names', {
    schema: {
      operationId: 'listEventNames',
      tags: ['analytics'],
      summary: 'Names of the events that were kept, with counts',
      response: { 200: ref(EventNamesSchema) }
    },
    config: { auth, limit: 'list' }
  }, async (request) => await app.analyticsDomain.names(request.actor))

  app.get('/live', {
    schema: {
      operationId: 'getLiveMetrics',
      tags: ['analytics'],
      summary: 'Counts of the running day, and where they stand in the live channel',
      response: { 200: ref(LiveMetricsSchema) }
    },
    config: { auth, limit: 'read' }
  }, async (request) => await app.analyticsDomain.liveMetrics(request.actor))
}

export default queries
