import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { HttpError, toPage } from '../../src/kernel/index.ts'
import { IdParams, OneOf, OperationSchema, pageQuery, ref } from '../../src/kernel/schemas.ts'
import {
  AccountHealthSchema, AccountPageSchema, AccountPatchSchema, AccountSchema, ProfileSchema, accountTopic,
  disconnectAccount, healthStates, platforms, syncAccount
} from '../../src/social/index.ts'
import { accept } from './operation.ts'

const by = ['session', 'apiKey'] as const
const read = { auth: { by, permission: 'social:account:read', owner: 'param:id' }, limit: 'read' as const }
const write = { auth: { by, permission: 'social:account:write', owner: 'param:id' }, limit: 'write' as const }
const tags = ['social']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  const { accounts } = app.social

  app.get('/accounts', {
    schema: {
      operationId: 'listSocialAccounts',
      tags,
      summary: 'Tracked accounts',
      querystring: accountQuery,
      response: { 200: ref(AccountPageSchema) }
    },
    config: { auth: { by, permission: 'social:account:read' }, limit: 'list' }
  }, async ({ actor, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listSocialAccounts ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await accounts.list(actor, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.get('/accounts/:id', {
    schema: {
      operationId: 'getSocialAccount',
      tags,
      summary: 'One account, with its position in the live channel',
      params: ref(IdParams),
      response: { 200: ref(AccountSchema) }
    },
    config: read
  }, async ({ actor, params: { id } }, reply) => {
    const account = await app.live.withPosition(
      accountTopic, { accountId: id }, async () => await accounts.get(actor, id))
    return await reply.header('etag', `"${account.version}"`).send(account)
  })

  app.patch('/accounts/:id', {
    schema: {
      operationId: 'changeSocialAccount',
      tags,
      summary: 'Change label, zone or policies',
      params: ref(IdParams),
      body: ref(AccountPatchSchema),
      response: { 200: ref(AccountSchema) }
    },
    config: write
  }, async ({ actor, params: { id }, body, headers }, reply) => {
    const account = await accounts.patch(actor, id, body, versionOf(headers['if-match']))
    return await reply.header('etag', `"${account.version}"`).send(account)
  })

  app.delete('/accounts/:id', {
    schema: {
      operationId: 'disconnectSocialAccount',
      tags,
      summary: 'Disconnect: everything stops and the token is revoked; posts and history stay',
      params: ref(IdParams),
      querystring: Type.Object({ erase: Type.Optional(Type.Literal(false)) }, { additionalProperties: false }),
      response: { 202: ref(OperationSchema) }
    },
    config: { ...write, auth: { ...write.auth, permission: 'social:account:connect' } }
  }, async ({ actor, params: { id } }, reply) =>
    await accept(app, reply, disconnectAccount, await accounts.disconnect(actor, id)))

  app.post('/accounts/:id/sync', {
    schema: {
      operationId: 'syncSocialAccount',
      tags,
      summary: 'Read the account now',
      params: ref(IdParams),
      body: Type.Object({ isFull: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
      response: { 202: ref(OperationSchema) }
    },
    config: write
  }, async ({ actor, params: { id }, body }, reply) =>
    await accept(app, reply, syncAccount, await accounts.sync(actor, id, body)))

  app.get('/accounts/:id/health', {
    schema: {
      operationId: 'getSocialAccountHealth',
      tags,
      summary: 'What we may still do with the account, and why',
      params: ref(IdParams),
      response: { 200: ref(AccountHealthSchema) }
    },
    config: read
  }, async ({ actor, params: { id } }) => await accounts.health(actor, id))

  app.get('/accounts/:id/profile', {
    schema: {
      operationId: 'getSocialAccountProfile',
      tags,
      summary: 'The newest profile',
      params: ref(IdParams),
      response: { 200: ref(ProfileSchema) }
    },
    config: read
  }, async ({ actor, params: { id } }) => await accounts.profile(actor, id))
}

const accountQuery = Type.Object({
  ...pageQuery,
  platform: Type.Optional(Type.Array(OneOf(platforms), { maxItems: 10 })),
  health: Type.Optional(Type.Array(OneOf(healthStates), { maxItems: 10 })),
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 100 }))
}, { additionalProperties: false })

/** A strong tag of ours: the version in quotes. */
function versionOf (tag: string | undefined): number {
  if (tag === undefined) throw HttpError.precondition_required()
  const version = /^"(\d{1,15})"$/.exec(tag)?.[1]
  if (version === undefined) throw HttpError.precondition_failed()
  return Number(version)
}

export default routes
