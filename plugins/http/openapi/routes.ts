import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { HttpError } from '../../../src/kernel/index.ts'
import { asyncapiDocument } from './asyncapi.ts'
import { openapiDocument } from './document.ts'
import { errorHtml, errorPage, errorPages } from './errors.ts'

const open = {
  auth: { public: 'Documents of the interface are for everybody who builds on it.' }, limit: 'free'
} as const
const document = {
  response: { 200: { type: 'object', additionalProperties: true, description: 'The document' } }
} as const

/** `/docs/*.json` and the pages of the error codes. */
export function documentRoutes (app: FastifyInstance, version: string): void {
  const openapi = once(() => JSON.stringify(openapiDocument(app)))
  const asyncapi = once(() => JSON.stringify(asyncapiDocument(app.registry, version)))

  app.get('/docs/openapi.json', {
    schema: { operationId: 'getOpenapi', tags: ['docs'], summary: 'This interface as OpenAPI 3.1', ...document },
    config: open
  }, async (_request, reply) => await sendJson(reply, openapi()))

  app.get('/docs/asyncapi.json', {
    schema: { operationId: 'getAsyncapi', tags: ['docs'], summary: 'The live door as AsyncAPI 3', ...document },
    config: open
  }, async (_request, reply) => await sendJson(reply, asyncapi()))

  app.get('/errors', {
    schema: {
      operationId: 'listErrors', tags: ['docs'], summary: 'All error codes', response: { 200: { $ref: 'ErrorList#' } }
    },
    config: open
  }, async () => ({ data: errorPages(app.registry.errors) }))

  app.get<{ Params: { code: string } }>('/errors/:code', {
    schema: {
      operationId: 'getError',
      tags: ['docs'],
      summary: 'What a code means and what to do',
      params: Type.Object(
        { code: Type.String({ maxLength: 128, pattern: '^[a-z_.-]+$' }) }, { additionalProperties: false }
      ),
      response: { 200: { $ref: 'ErrorPage#' } }
    },
    config: open
  }, async (request, reply) => {
    const definition = app.registry.errors.get(request.params.code)
    if (definition === undefined) throw HttpError.route_not_found({}, { detail: 'No error has this code.' })
    const page = errorPage(definition)
    if (request.headers.accept?.includes('text/html') !== true) return page
    return await reply.type('text/html; charset=utf-8').serializer(String).send(errorHtml(page))
  })
}

/** Made when it is first asked for: all routes are there by then. */
function once (make: () => string): () => string {
  let made: string | undefined
  return () => {
    made ??= make()
    return made
  }
}

async function sendJson (reply: FastifyReply, text: string): Promise<FastifyReply> {
  return await reply.type('application/json; charset=utf-8').serializer(String).send(text)
}
