import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  MemberPageSchema, NewWorkspaceSchema, WorkspaceListSchema, WorkspaceSchema, presentMember
} from '../../src/identity/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { pageQuery, ref } from '../../src/kernel/schemas.ts'

const tags = ['identity']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/workspaces', {
    schema: {
      operationId: 'listWorkspaces', tags, summary: 'The own workspaces', response: { 200: ref(WorkspaceListSchema) }
    },
    config: { auth: { by: ['session', 'apiKey'], permission: 'self' }, limit: 'list' }
  }, async (request) => ({ data: await app.identity.workspaces(request.actor) }))

  app.post('/workspaces', {
    schema: {
      operationId: 'createWorkspace',
      tags,
      summary: 'Make a workspace and own it',
      body: ref(NewWorkspaceSchema),
      response: { 201: ref(WorkspaceSchema) }
    },
    config: { auth: { by: ['session'], permission: 'self' }, limit: 'write', idempotency: 'optional' }
  }, async (request, reply) => await reply.code(201)
    .send(await app.identity.createWorkspace(request.actor, request.body.name)))

  app.get('/members', {
    schema: {
      operationId: 'listMembers',
      tags,
      summary: 'Members of the workspace in the order of joining',
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: { 200: ref(MemberPageSchema) }
    },
    config: { auth: { by: ['session', 'apiKey'], permission: 'identity:member:read' }, limit: 'list' }
  }, async ({ actor, query: { limit = 25, cursor } }) => {
    const scope = `${actor.workspaceId} listMembers`
    const after = cursor === undefined ? undefined : app.cursors.decode(cursor, scope)
    return toPage(await app.identity.members(actor, { after, limit }), limit, {
      cursors: app.cursors,
      scope,
      values: ({ member }) => [member.joinedAt.getTime(), member.id],
      present: ({ member, user }) => presentMember(member, user)
    })
  })
}

export default routes
