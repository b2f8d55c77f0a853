import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  DownloadPageSchema, DownloadQuerySchema, DownloadSchema, NewDownloadSchema, presentDownload
} from '../../src/fetch/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, ref } from '../../src/kernel/schemas.ts'

const read = { by: ['session', 'apiKey'], permission: 'fetch:download:read' } as const
const write = { by: ['session', 'apiKey'], permission: 'fetch:download:write' } as const
const steps = {
  pause: 'Stop a download for a while', resume: 'Let a paused download go on', cancel: 'End a download'
} as const

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/downloads', {
    schema: {
      operationId: 'startDownload', tags: ['fetch'], summary: 'Fetch a file from an address',
      body: ref(NewDownloadSchema), response: { 202: ref(DownloadSchema) }
    },
    config: { auth: write, limit: 'write', idempotency: 'optional' }
  }, async (request, reply) => {
    const download = await app.downloads.start(request.actor, request.body)
    return await reply.code(202).header('location', `/v1/fetch/downloads/${download.id}`).send(download)
  })

  app.get('/downloads', {
    schema: {
      operationId: 'listDownloads', tags: ['fetch'], summary: 'Downloads, newest first',
      querystring: ref(DownloadQuerySchema), response: { 200: ref(DownloadPageSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query: { limit = 25, cursor, state } }) => {
    const scope = `${actor.workspaceId} listDownloads ${state ?? ''}`
    const after = cursor === undefined ? undefined : app.cursors.decode(cursor, scope)
    const rows = await app.downloads.list(actor, {
      limit, ...(state === undefined ? {} : { state }), ...(after === undefined ? {} : { after })
    })
    return toPage(rows, limit, {
      cursors: app.cursors, scope, present: presentDownload, values: ({ createdAt, _id }) => [createdAt.getTime(), _id]
    })
  })

  app.get('/downloads/:id', {
    schema: {
      operationId: 'getDownload', tags: ['fetch'], summary: 'One download',
      params: ref(IdParams), response: { 200: ref(DownloadSchema) }
    },
    config: { auth: { ...read, owner: 'param:id' }, limit: 'read' }
  }, async ({ actor, params }) => await app.downloads.get(actor, params.id))

  for (const verb of ['pause', 'resume', 'cancel'] as const) {
    app.post(`/downloads/:id/${verb}`, {
      schema: {
        operationId: `${verb}Download`, tags: ['fetch'], summary: steps[verb],
        params: ref(IdParams), response: { 200: ref(DownloadSchema) }
      },
      config: { auth: { ...write, owner: 'param:id' }, limit: 'write', idempotency: 'optional' }
    }, async ({ actor, params }) => await app.downloads[verb](actor, params.id))
  }
}

export default routes
