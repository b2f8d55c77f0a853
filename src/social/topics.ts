import { Type } from 'typebox'
import { DownloadProgressSchema } from '../fetch/index.ts'
import { defineTopic } from '../kernel/index.ts'
import { At, Id, OneOf, ref } from '../kernel/schemas.ts'
import { changes } from './events.ts'
import { CountsSchema, HealthSchema, LimitSchema, ProfileSchema, SyncSchema } from './schemas.ts'

const closed = { additionalProperties: false }

export const accountTopic = defineTopic('social.account:{accountId}', {
  class: 'state',
  source: 'document',
  kinds: {
    health: HealthSchema,
    profile: ref(ProfileSchema),
    sync: SyncSchema,
    counts: CountsSchema,
    limits: Type.Array(LimitSchema, { maxItems: 20 })
  },
  rate: { perKeyPerSec: 2 }
})

export const BatchSchema = Type.Object({
  syncId: Id,
  isBackfill: Type.Boolean(),
  items: Type.Array(Type.Object({
    postId: Id,
    remoteId: Type.String({ maxLength: 200 }),
    change: OneOf(changes),
    publishedAt: At,
    text: Type.Optional(Type.String({ maxLength: 140 }))
  }, closed), { maxItems: 200 })
}, closed)

export const feedTopic = defineTopic('social.feed:{accountId}', {
  class: 'event',
  source: 'outbox',
  kinds: { batch: BatchSchema, health: HealthSchema },
  history: { count: 200, ttlMs: 15 * 60_000 }
})

export const downloadsTopic = defineTopic('social.downloads:{accountId}', {
  class: 'state',
  source: 'document',
  kinds: { download: ref(DownloadProgressSchema) },
  rate: { perKeyPerSec: 1, edges: ['state'] }
})

export const topics = [accountTopic, feedTopic, downloadsTopic]
