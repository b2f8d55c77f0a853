import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, OneOf, pageQuery, ref } from '../../src/kernel/schemas.ts'
import { PostPageSchema, PostSchema, feedTopic, postKinds, presentPost } from '../../src/social/index.ts'

const auth = { by: ['session', 'apiKey'] as const, permission: 'social:account:read', owner: 'param:id' }
const day = Type.String({ maxLength: 32, description: 'An instant, or a local day of the account' })

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/accounts/:id/posts', {
    schema: {
      operationId: 'listSocialPosts',
      tags: ['social'],
      summary: 'Posts of an account, newest first, with the position in its feed',
      params: ref(IdParams),
      querystring: postQuery,
      response: { 200: ref(PostPageSchema) }
    },
    config: { auth, limit: 'list' }
  }, async ({ actor, params: { id }, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listSocialPosts ${id} ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : afterOf(app.cursors.decode(cursor, scope))
    return await app.live.withPosition(feedTopic, { accountId: id }, async () => {
      const rows = await app.social.lists.posts(actor, id, { ...filter, ...after, limit })
      return toPage(rows, limit, {
        cursors: app.cursors, scope, values: (row) => [row.publishedAt.getTime(), row.id], present: presentPost
      })
    })
  })

  app.get('/posts/:id', {
    schema: {
      operationId: 'getSocialPost',
      tags: ['social'],
      summary: 'One post',
      params: ref(IdParams),
      response: { 200: ref(PostSchema) }
    },
    config: { auth, limit: 'read' }
  }, async ({ actor, params: { id } }) => await app.social.lists.post(actor, id))
}

const postQuery = Type.Object({
  ...pageQuery,
  from: Type.Optional(day),
  to: Type.Optional(day),
  kind: Type.Optional(Type.Array(OneOf(postKinds), { maxItems: 3 })),
  tag: Type.Optional(Type.String({ maxLength: 200 })),
  state: Type.Optional(OneOf(['live', 'gone']))
}, { additionalProperties: false })

function afterOf ([publishedMs, id]: ReadonlyArray<string | number | null>) {
  return { after: { publishedAt: new Date(Number(publishedMs)), id: String(id) } }
}

export default routes
