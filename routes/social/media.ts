import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { toPage } from '../../src/kernel/index.ts'
import { Id, IdParams, OneOf, OperationSchema, pageQuery, ref } from '../../src/kernel/schemas.ts'
import {
  AssetPageSchema, AssetSchema, SocialDownloadPageSchema, assetKinds, assetStates, downloadsTopic, fetchAsset
} from '../../src/social/index.ts'
import { accept } from './operation.ts'

const by = ['session', 'apiKey'] as const
const auth = { by, permission: 'social:account:read', owner: 'param:id' }
const tags = ['social']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/accounts/:id/assets', {
    schema: {
      operationId: 'listSocialAssets',
      tags,
      summary: 'Media of the posts of an account',
      params: ref(IdParams),
      querystring: assetQuery,
      response: { 200: ref(AssetPageSchema) }
    },
    config: { auth, limit: 'list' }
  }, async ({ actor, params: { id }, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listSocialAssets ${id} ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await app.social.lists.assets(actor, id, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: (row) => [row.id], present: (row) => row })
  })

  app.get('/assets/:id', {
    schema: {
      operationId: 'getSocialAsset',
      tags,
      summary: 'One media attachment',
      params: ref(IdParams),
      response: { 200: ref(AssetSchema) }
    },
    config: { auth, limit: 'read' }
  }, async ({ actor, params: { id } }) => await app.social.lists.asset(actor, id))

  app.post('/assets/:id/fetch', {
    schema: {
      operationId: 'fetchSocialAsset',
      tags,
      summary: 'Fetch a file again',
      params: ref(IdParams),
      body: Type.Object({ lane: Type.Optional(OneOf(['interactive', 'bulk'])) }, { additionalProperties: false }),
      response: { 202: ref(OperationSchema) }
    },
    config: {
      auth: { by, permission: 'social:asset:fetch', owner: 'param:id' }, limit: 'write', idempotency: 'required'
    }
  }, async ({ actor, params: { id }, body: { lane = 'interactive' } }, reply) =>
    await accept(app, reply, fetchAsset, await app.social.assets.fetchAgain(actor, id, lane)))

  app.get('/accounts/:id/downloads', {
    schema: {
      operationId: 'listSocialDownloads',
      tags,
      summary: 'Transfers of the media of an account, with the position of their live channel',
      params: ref(IdParams),
      querystring: downloadQuery,
      response: { 200: ref(SocialDownloadPageSchema) }
    },
    config: { auth, limit: 'list' }
  }, async ({ actor, params: { id }, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listSocialDownloads ${id} ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    return await app.live.withPosition(downloadsTopic, { accountId: id }, async () => {
      const { downloads, next } = await app.social.lists.downloads(actor, id, { ...filter, ...after, limit })
      const page = next === undefined ? { hasMore: false } : { next: app.cursors.encode([next], scope), hasMore: true }
      return { data: downloads, page }
    })
  })
}

const assetQuery = Type.Object({
  ...pageQuery,
  state: Type.Optional(Type.Array(OneOf(assetStates), { maxItems: 7 })),
  kind: Type.Optional(Type.Array(OneOf(assetKinds), { maxItems: 5 })),
  postId: Type.Optional(Type.Array(Id, { maxItems: 50 }))
}, { additionalProperties: false })

const downloadQuery = Type.Object({
  ...pageQuery,
  state: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 9 }))
}, { additionalProperties: false })

export default routes
