import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { BatchCancelSchema, BatchSchema, WorkflowSchema } from '../../src/jobs/index.ts'
import { IdParams, ref } from '../../src/kernel/schemas.ts'

const read = {
  auth: { by: ['session', 'apiKey'], permission: 'jobs:run:read', owner: 'param:id' }, limit: 'read'
} as const
const operate = {
  auth: { by: ['session', 'apiKey'], permission: 'jobs:run:operate', owner: 'param:id' }, limit: 'write'
} as const

const batches: FastifyPluginAsyncTypebox = async (app) => {
  const params = ref(IdParams)

  app.get('/batches/:id', {
    schema: {
      operationId: 'getBatch',
      tags: ['jobs'],
      summary: 'How a batch stands',
      params,
      response: { 200: ref(BatchSchema) }
    },
    config: read
  }, async ({ actor, params: { id } }) => await app.batchControl.get(actor, id))

  app.post('/batches/:id/cancel', {
    schema: {
      operationId: 'cancelBatch',
      tags: ['jobs'],
      summary: 'End what waits of a batch, and tell what runs',
      params,
      body: ref(BatchCancelSchema),
      response: { 200: ref(BatchSchema) }
    },
    config: operate
  }, async ({ actor, params: { id }, body: { reason } }) => await app.batchControl.cancel(actor, id, reason))

  app.post('/batches/:id/unstick', {
    schema: {
      operationId: 'unstickBatch',
      tags: ['jobs'],
      summary: 'Settle runs of a batch that wait for what is over',
      params,
      response: { 200: ref(BatchSchema) }
    },
    config: operate
  }, async ({ actor, params: { id } }) => await app.batchControl.unstick(actor, id))

  app.get('/workflows/:id', {
    schema: {
      operationId: 'getWorkflow',
      tags: ['jobs'],
      summary: 'The runs of a workflow and what they wait for',
      params,
      response: { 200: ref(WorkflowSchema) }
    },
    config: read
  }, async ({ actor, params: { id } }) => await app.batchControl.workflow(actor, id))
}

export default batches
