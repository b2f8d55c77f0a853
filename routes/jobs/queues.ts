import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { PauseSchema, QueueListSchema, QueueParams, QueueSchema } from '../../src/jobs/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

const by = ['session', 'apiKey'] as const
const operate = { by, permission: 'jobs:queue:operate', owner: { none: 'A queue belongs to the installation.' } }
const tags = ['jobs']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/queues', {
    schema: {
      operationId: 'listQueues', tags, summary: 'How the queues stand', response: { 200: ref(QueueListSchema) }
    },
    config: { auth: { by, permission: 'jobs:queue:read' }, limit: 'list' }
  }, async () => ({ data: await app.queueControl.list() }))

  app.post('/queues/:queue/pause', {
    schema: {
      operationId: 'pauseQueue', tags, summary: 'Start nothing of a queue, or of one workspace in it',
      params: QueueParams, body: ref(PauseSchema), response: { 200: ref(QueueSchema) }
    },
    config: { auth: operate, limit: 'write' }
  }, async ({ actor, params: { queue }, body }) => await app.queueControl.pause(actor, queue, body))

  app.post('/queues/:queue/resume', {
    schema: {
      operationId: 'resumeQueue', tags, summary: 'Let a paused queue go on',
      params: QueueParams, body: ref(PauseSchema), response: { 200: ref(QueueSchema) }
    },
    config: { auth: operate, limit: 'write' }
  }, async ({ params: { queue }, body }) => await app.queueControl.resume(queue, body))
}

export default routes
