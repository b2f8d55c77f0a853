import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { EndedSchema, SessionListSchema, TokensSchema, WorkspaceChoiceSchema } from '../../src/identity/index.ts'
import { IdParams, ref } from '../../src/kernel/schemas.ts'
import { forgetCookie, refreshCookie, tokensFor } from './tokens-answer.ts'

const self = { by: ['session'], permission: 'self' } as const
const tags = ['identity']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/sessions', {
    schema: {
      operationId: 'listSessions', tags, summary: 'The own sessions', response: { 200: ref(SessionListSchema) }
    },
    config: { auth: self, limit: 'list' }
  }, async (request) => ({ data: await app.identity.sessions(request.actor) }))

  app.delete('/sessions/current', {
    schema: { operationId: 'logOut', tags, summary: 'End this session', response: { 204: { type: 'null' } } },
    config: { auth: { ...self, isOpenBeforePasswordChange: true }, limit: 'write' }
  }, async (request, reply) => {
    await app.identity.logOut(request.actor)
    forgetCookie(reply)
    return await reply.code(204).send(null)
  })

  app.delete('/sessions/:id', {
    schema: {
      operationId: 'endSession',
      tags,
      summary: 'End one own session',
      params: ref(IdParams),
      response: { 204: { type: 'null' } }
    },
    config: { auth: { ...self, owner: 'param:id' }, limit: 'write' }
  }, async (request, reply) => {
    await app.identity.endSession(request.actor, request.params.id)
    return await reply.code(204).send(null)
  })

  app.delete('/sessions', {
    schema: {
      operationId: 'endOtherSessions',
      tags,
      summary: 'End all sessions but this one',
      response: { 200: ref(EndedSchema) }
    },
    config: { auth: { ...self, freshness: 300 }, limit: 'write' }
  }, async (request) => ({ ended: await app.identity.endOtherSessions(request.actor) }))

  app.post('/sessions/current/workspace', {
    schema: {
      operationId: 'switchWorkspace',
      tags,
      summary: 'Tokens of this session for another own workspace',
      body: ref(WorkspaceChoiceSchema),
      response: { 200: ref(TokensSchema) }
    },
    config: { auth: self, limit: 'write' }
  }, async (request, reply) => {
    const tokens = await app.identity.moveTo(request.actor, request.body.workspaceId)
    const client = request.cookies[refreshCookie] === undefined ? 'native' : 'web'
    return tokensFor(reply, client, tokens)
  })
}

export default routes
