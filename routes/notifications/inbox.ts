import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, pageQuery, ref } from '../../src/kernel/schemas.ts'
import {
  InboxCountersSchema, InboxFilter, InboxPageSchema, UpToSchema, itemActions, presentItem
} from '../../src/notifications/index.ts'

const tags = ['notifications']
const self = { by: ['session', 'apiKey'], permission: 'self' } as const
const response = { 200: ref(InboxCountersSchema) }
const summaries = { read: 'Mark an item as read', unread: 'Mark an item as unread', archive: 'Put an item away' }

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/inbox', {
    schema: {
      operationId: 'listInbox',
      tags,
      summary: 'Items of the own inbox, the newest first, with the counters',
      querystring: Type.Object({ ...pageQuery, ...InboxFilter }, { additionalProperties: false }),
      response: { 200: ref(InboxPageSchema) }
    },
    config: { auth: self, limit: 'list' }
  }, async ({ actor, query: { limit = 25, cursor, state } }) => {
    const scope = `${actor.id} listInbox ${state ?? ''}`
    const after = cursor === undefined ? undefined : app.cursors.decode(cursor, scope)
    const { rows, ...shown } = await app.notifications.inbox.list(actor, { state, after, limit })
    const values = ({ id }: { id: string }) => [id]
    return { ...toPage(rows, limit, { cursors: app.cursors, scope, values, present: presentItem }), ...shown }
  })

  app.post('/inbox/seen', {
    schema: { operationId: 'markInboxSeen', tags, summary: 'Mark items as seen', body: ref(UpToSchema), response },
    config: { auth: self, limit: 'write' }
  }, async ({ actor, body }) => await app.notifications.inbox.seen(actor, body.upTo))

  app.post('/inbox/read-all', {
    schema: { operationId: 'markInboxRead', tags, summary: 'Mark items as read', body: ref(UpToSchema), response },
    config: { auth: self, limit: 'write' }
  }, async ({ actor, body }) => await app.notifications.inbox.readAll(actor, body.upTo))

  for (const action of itemActions) {
    app.post(`/inbox/:id/${action}`, {
      schema: { operationId: `${action}InboxItem`, tags, summary: summaries[action], params: ref(IdParams), response },
      config: { auth: { ...self, owner: 'param:id' }, limit: 'write' }
    }, async ({ actor, params }) => await app.notifications.inbox.act(actor, params.id, action))
  }
}

export default routes
