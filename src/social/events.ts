import { Type } from 'typebox'
import { defineEvent } from '../kernel/index.ts'
import { Id, OneOf } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }
const accountFacts = Type.Object({ accountId: Id, version: Type.Integer({ minimum: 1 }) }, closed)
const assetFacts = Type.Object({
  accountId: Id, postId: Id, assetId: Id, reason: Type.Optional(Type.String({ maxLength: 64 }))
}, closed)

export const changes = ['discovered', 'changed', 'gone'] as const
export type Change = typeof changes[number]

export const accountConnected = defineEvent({ name: 'social.account.connected', data: accountFacts })
export const accountReconnected = defineEvent({ name: 'social.account.reconnected', data: accountFacts })
export const accountDisconnected = defineEvent({ name: 'social.account.disconnected', data: accountFacts })
export const accountHealthChanged = defineEvent({
  name: 'social.account.health-changed',
  data: Type.Object({
    accountId: Id,
    version: Type.Integer({ minimum: 1 }),
    from: Type.String({ maxLength: 32 }),
    to: Type.String({ maxLength: 32 })
  }, closed)
})
export const accountProfileChanged = defineEvent({
  name: 'social.account.profile-changed',
  data: Type.Object({
    accountId: Id, fields: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 10 })
  }, closed)
})

/** One per page that brought something; in it every item that was new, changed or gone. */
export const postsSynced = defineEvent({
  name: 'social.posts.synced',
  data: Type.Object({
    accountId: Id,
    syncId: Id,
    isBackfill: Type.Boolean(),
    items: Type.Array(Type.Object({ postId: Id, change: OneOf(changes) }, closed), { maxItems: 200 })
  }, closed)
})

export const assetReady = defineEvent({ name: 'social.asset.ready', data: assetFacts })
export const assetRejected = defineEvent({ name: 'social.asset.rejected', data: assetFacts })
export const assetGone = defineEvent({ name: 'social.asset.gone', data: assetFacts })

export const events = [
  accountConnected, accountReconnected, accountDisconnected, accountHealthChanged, accountProfileChanged,
  postsSynced, assetReady, assetRejected, assetGone
]
