import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { IdParams, ref } from '../../src/kernel/schemas.ts'
import { ConnectionSchema, NewConnectionSchema, ReconnectSchema } from '../../src/social/index.ts'

const connect = { by: ['session', 'apiKey'] as const, permission: 'social:account:connect' }

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/connections', {
    schema: {
      operationId: 'connectSocialAccount',
      tags: ['social'],
      summary: 'Connect an account of a platform',
      body: ref(NewConnectionSchema),
      response: { 201: ref(ConnectionSchema) }
    },
    config: { auth: connect, limit: 'write', idempotency: 'required' }
  }, async (request, reply) => {
    const connection = await app.social.connections.connect(request.actor, request.body)
    return await reply.code(201).header(
      'location', `/v1/social/connections/${connection.connectionId}`).send(connection)
  })

  app.post('/accounts/:id/reconnect', {
    schema: {
      operationId: 'reconnectSocialAccount',
      tags: ['social'],
      summary: 'Sign the same account in again',
      params: ref(IdParams),
      body: ref(ReconnectSchema),
      response: { 201: ref(ConnectionSchema) }
    },
    config: { auth: { ...connect, owner: 'param:id' }, limit: 'write', idempotency: 'required' }
  }, async (request, reply) => {
    const connection = await app.social.connections.reconnect(request.actor, request.params.id, request.body)
    return await reply.code(201).send(connection)
  })

  app.get('/connections/:id', {
    schema: {
      operationId: 'getSocialConnection',
      tags: ['social'],
      summary: 'How far a connection is',
      params: ref(IdParams),
      response: { 200: ref(ConnectionSchema) }
    },
    config: { auth: { ...connect, owner: 'param:id' }, limit: 'read' }
  }, async (request) => await app.social.connections.get(request.actor, request.params.id))

  app.get('/callbacks/:platform', {
    schema: {
      operationId: 'completeSocialConnection',
      tags: ['social'],
      summary: 'Where a platform sends the person back',
      params: Type.Object({ platform: Type.String({ maxLength: 32 }) }, { additionalProperties: false }),
      querystring: callbackQuery,
      response: { 303: Type.Null() }
    },
    config: { auth: { public: 'The single-use state proves the sign-in and carries its actor.' }, limit: 'auth' }
  }, async (request, reply) => {
    const { returnTo } = await app.social.connections.complete(request.params.platform, request.query)
    return await reply.code(303).header('location', returnTo).header('cache-control', 'no-store').send(null)
  })
}

const callbackQuery = Type.Object({
  code: Type.Optional(Type.String({ maxLength: 4096 })),
  state: Type.Optional(Type.String({ maxLength: 512 })),
  iss: Type.Optional(Type.String({ maxLength: 2083 })),
  scope: Type.Optional(Type.String({ maxLength: 1000 })),
  error: Type.Optional(Type.String({ maxLength: 200 })),
  error_description: Type.Optional(Type.String({ maxLength: 1000 })),
  error_uri: Type.Optional(Type.String({ maxLength: 2083 }))
}, { additionalProperties: false })

export default routes
