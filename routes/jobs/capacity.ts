import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  ResourcePageSchema, ResourceParams, ResourceQuerySchema, ResourceSchema, ResourceSettingsSchema, ShareParams,
  ShareSchema, ShareSettingsSchema
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

const by = ['session', 'apiKey'] as const
const owner = { none: 'Capacity belongs to the installation.' }
const read = { auth: { by, permission: 'jobs:capacity:read', owner }, limit: 'read' } as const
const operate = { auth: { by, permission: 'jobs:capacity:operate', owner }, limit: 'write' } as const
const tags = ['jobs']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/resources', {
    schema: {
      operationId: 'listJobResources', tags, summary: 'Resources by name, and how much of each is taken',
      querystring: ref(ResourceQuerySchema), response: { 200: ref(ResourcePageSchema) }
    },
    config: { auth: { by, permission: 'jobs:capacity:read' }, limit: 'list' }
  }, async ({ query: { limit = 25, cursor } }) => {
    const scope = 'listJobResources'
    const after = cursor === undefined ? undefined : String(app.cursors.decode(cursor, scope)[0])
    const rows = await app.capacity.resources({ after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ name }) => [name], present: (row) => row })
  })

  app.get('/resources/:name', {
    schema: {
      operationId: 'getJobResource', tags, summary: 'One resource, with who has it',
      params: ref(ResourceParams), response: { 200: ref(ResourceSchema) }
    },
    config: read
  }, async ({ params: { name } }) => await app.capacity.resource(name))

  app.put('/resources/:name', {
    schema: {
      operationId: 'setJobResource', tags, summary: 'Set capacity, rate and blackouts of a resource',
      params: ref(ResourceParams), body: ref(ResourceSettingsSchema), response: { 200: ref(ResourceSchema) }
    },
    config: operate
  }, async ({ params: { name }, body }) => await app.capacity.setResource(name, body))

  app.get('/shares/:workspaceId', {
    schema: {
      operationId: 'getWorkspaceShare', tags, summary: 'What a workspace may have of the queues',
      params: ref(ShareParams), response: { 200: ref(ShareSchema) }
    },
    config: read
  }, async ({ params: { workspaceId } }) => await app.capacity.share(workspaceId))

  app.put('/shares/:workspaceId', {
    schema: {
      operationId: 'setWorkspaceShare', tags, summary: 'Set weight, cap, rate and backlog of a workspace',
      params: ref(ShareParams), body: ref(ShareSettingsSchema), response: { 200: ref(ShareSchema) }
    },
    config: operate
  }, async ({ params: { workspaceId }, body }) => await app.capacity.setShare(workspaceId, body))
}

export default routes
