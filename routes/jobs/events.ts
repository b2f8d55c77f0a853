import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  EventPageSchema, EventQuerySchema, EventReplayReportSchema, EventReplaySchema, replayEvents
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { OperationSchema, ref } from '../../src/kernel/schemas.ts'
import { accept } from './accepted.ts'

const by = ['session', 'apiKey'] as const
const tags = ['jobs']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/events', {
    schema: {
      operationId: 'listEvents', tags, summary: 'The log of events, newest first',
      querystring: ref(EventQuerySchema), response: { 200: ref(EventPageSchema) }
    },
    config: { auth: { by, permission: 'jobs:event:read' }, limit: 'list' }
  }, async ({ actor, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listEvents ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await app.eventLog.list(actor, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.post('/events/replay', {
    schema: {
      operationId: 'replayEvents', tags, summary: 'Let one subscriber hear events of the log once more',
      body: ref(EventReplaySchema), response: { 200: ref(EventReplayReportSchema), 202: ref(OperationSchema) }
    },
    config: { auth: { by, permission: 'jobs:event:operate' }, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, body }, reply) => {
    const answer = await app.eventLog.replay(actor, body)
    return 'matched' in answer ? answer : await accept(app, reply, replayEvents, answer)
  })
}

export default routes
