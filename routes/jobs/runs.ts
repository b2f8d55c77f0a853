import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  CancelManySchema, CancelSchema, CancelledSchema, ReorderManySchema, ReorderedSchema, RunDetailSchema, RunPageSchema,
  RunPatchSchema, RunQuerySchema
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, ref } from '../../src/kernel/schemas.ts'

const by = ['session', 'apiKey'] as const
const read = { by, permission: 'jobs:run:read' }
const operate = { by, permission: 'jobs:run:operate' }
const tags = ['jobs']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  const { runControl } = app

  app.get('/runs', {
    schema: {
      operationId: 'listRuns', tags, summary: 'Runs, newest first',
      querystring: ref(RunQuerySchema), response: { 200: ref(RunPageSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listRuns ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await runControl.list(actor, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.get('/runs/:id', {
    schema: {
      operationId: 'getRun', tags, summary: 'One run with its attempts',
      params: ref(IdParams), response: { 200: ref(RunDetailSchema) }
    },
    config: { auth: { ...read, owner: 'param:id' }, limit: 'read' }
  }, async ({ actor, params: { id } }) => await runControl.get(actor, id))

  app.patch('/runs/:id', {
    schema: {
      operationId: 'reorderRun', tags, summary: 'Give a run that has not started another lane or time',
      params: ref(IdParams), body: ref(RunPatchSchema), response: { 200: ref(RunDetailSchema) }
    },
    config: { auth: { ...operate, owner: 'param:id' }, limit: 'write' }
  }, async ({ actor, params: { id }, body }) => await runControl.reorder(actor, id, body))

  app.post('/runs/:id/cancel', {
    schema: {
      operationId: 'cancelRun', tags, summary: 'End a run: at once where it waits, else when its handler returns',
      params: ref(IdParams), body: ref(CancelSchema), response: { 200: ref(RunDetailSchema) }
    },
    config: { auth: { ...operate, owner: 'param:id' }, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, params: { id }, body: { reason } }) => await runControl.cancel(actor, id, reason))

  app.post('/runs/cancel', {
    schema: {
      operationId: 'cancelRuns', tags, summary: 'End all runs of a name, a batch or a cause',
      body: ref(CancelManySchema), response: { 200: ref(CancelledSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, body: { filter, reason } }) => await runControl.cancelMany(actor, filter, reason))

  app.post('/runs/reorder', {
    schema: {
      operationId: 'reorderRuns', tags, summary: 'Give all waiting runs of a filter another lane or time',
      body: ref(ReorderManySchema), response: { 200: ref(ReorderedSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, body }) => await runControl.reorderMany(actor, body))
}

export default routes
