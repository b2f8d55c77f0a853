import { Type, type Static } from 'typebox'
import { DownloadSchema } from '../fetch/index.ts'
import { At, Id, Nullable, OneOf, PositionSchema, pageOf, ref } from '../kernel/schemas.ts'

const closed = { additionalProperties: false }
const word = (maxLength: number) => Type.String({ maxLength })
const count = Type.Integer({ minimum: 0 })
const url = Type.String({ maxLength: 2083 })

export const platforms = ['mastodon'] as const
export type Platform = typeof platforms[number]

export const healthStates = ['active', 'needs_reauth', 'disconnected'] as const
export type HealthState = typeof healthStates[number]

export const EvidenceSchema = Type.Object({
  at: At,
  source: OneOf(['call', 'callback', 'probe']),
  step: word(64),
  httpStatus: Nullable(Type.Integer()),
  code: Nullable(word(200)),
  sentence: word(300)
}, closed)
export type Evidence = Static<typeof EvidenceSchema>

export const LimitSchema = Type.Object({ key: word(32), limit: count, remaining: count, resetAt: Nullable(At) }, closed)
export type Limit = Static<typeof LimitSchema>

export const CountsSchema = Type.Object({
  followers: Type.Optional(count), following: Type.Optional(count), posts: Type.Optional(count), stored: count
}, { ...closed, description: 'What the platform tells, and the posts stored here; absent where it tells nothing' })
export type Counts = Static<typeof CountsSchema>

export const SyncSchema = Type.Object({
  runId: Nullable(Id), pages: count, items: count, state: OneOf(['idle', 'running', 'done', 'failed'])
}, { ...closed, description: 'The newest sync: pages read, items that were new, changed or gone' })
export type Sync = Static<typeof SyncSchema>

export const ProfileSchema = Type.Object({
  name: word(300),
  handle: word(300),
  url: Nullable(url),
  bio: word(10_000),
  links: Type.Array(Type.Object({ name: word(300), value: word(2083) }, closed), { maxItems: 20 }),
  avatarUrl: Nullable(url)
}, { ...closed, $id: 'SocialProfile' })
export type Profile = Static<typeof ProfileSchema>

export const SyncPolicySchema = Type.Object({
  everyMinutes: Type.Integer({ minimum: 5, maximum: 1440 }),
  backfillPosts: Type.Integer({ minimum: 1, maximum: 20_000 }),
  backfillDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 }))
}, closed)
export type SyncPolicy = Static<typeof SyncPolicySchema>

export const MediaPolicySchema = Type.Object({
  fetch: OneOf(['none', 'images']),
  maxBytes: Type.Integer({ minimum: 1, maximum: 2_000_000_000 })
}, closed)
export type MediaPolicy = Static<typeof MediaPolicySchema>

export const HealthSchema = Type.Object({
  state: OneOf(healthStates), since: At, evidence: Type.Array(EvidenceSchema, { maxItems: 10 })
}, closed)
export type Health = Static<typeof HealthSchema>

export const AccountSchema = Type.Object({
  id: Id,
  platform: OneOf(platforms),
  instance: url,
  remoteId: word(200),
  handle: word(300),
  label: word(100),
  zone: word(64),
  scopes: Type.Array(word(64), { maxItems: 50 }),
  health: HealthSchema,
  profile: ref(ProfileSchema),
  sync: SyncSchema,
  counts: CountsSchema,
  limits: Type.Array(LimitSchema, { maxItems: 20 }),
  syncPolicy: SyncPolicySchema,
  mediaPolicy: MediaPolicySchema,
  secretGeneration: count,
  nextSyncAt: Nullable(At),
  lastSuccessAt: Nullable(At),
  version: Type.Integer({ minimum: 1 }),
  createdAt: At,
  updatedAt: At,
  position: Type.Optional(ref(PositionSchema))
}, { ...closed, $id: 'SocialAccount', description: 'A tracked account' })
export type Account = Static<typeof AccountSchema>
export const AccountPageSchema = pageOf(AccountSchema, 'SocialAccountPage')

export const AccountPatchSchema = Type.Object({
  label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
  zone: Type.Optional(word(64)),
  syncPolicy: Type.Optional(Type.Partial(SyncPolicySchema, closed)),
  mediaPolicy: Type.Optional(Type.Partial(MediaPolicySchema, closed))
}, { ...closed, $id: 'SocialAccountPatch' })
export type AccountPatch = Static<typeof AccountPatchSchema>

export const AccountHealthSchema = Type.Object({
  state: OneOf(healthStates),
  since: At,
  evidence: Type.Array(EvidenceSchema, { maxItems: 10 }),
  fix: Nullable(Type.Object({ key: word(64), text: word(300), url: Type.Optional(url) }, closed)),
  secret: Type.Object({
    generation: count,
    accessExpiresAt: Type.Optional(At),
    refreshExpiresAt: Type.Optional(At),
    refreshDueAt: Type.Optional(At)
  }, closed),
  limits: Type.Array(LimitSchema, { maxItems: 20 }),
  lastSuccessAt: Nullable(At)
}, { ...closed, $id: 'SocialAccountHealth' })
export type AccountHealth = Static<typeof AccountHealthSchema>

export const NewConnectionSchema = Type.Object({
  platform: word(32),
  instance: Type.String({ minLength: 1, maxLength: 2083 }),
  method: OneOf(['oauth', 'token']),
  token: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  returnTo: Type.Optional(Type.String({ maxLength: 500 }))
}, { ...closed, $id: 'NewSocialConnection' })
export type NewConnection = Static<typeof NewConnectionSchema>

export const ReconnectSchema = Type.Object({
  method: OneOf(['oauth', 'token']),
  token: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  returnTo: Type.Optional(Type.String({ maxLength: 500 }))
}, { ...closed, $id: 'SocialReconnect' })
export type Reconnect = Static<typeof ReconnectSchema>

export const ConnectionSchema = Type.Object({
  connectionId: Id,
  state: OneOf(['pending', 'connected', 'failed']),
  authorizeUrl: Type.Optional(Type.String({ maxLength: 4096 })),
  accountId: Type.Optional(Id),
  error: Type.Optional(word(128))
}, { ...closed, $id: 'SocialConnection' })
export type Connection = Static<typeof ConnectionSchema>

export const MetricsSchema = Type.Object({
  favourites: Type.Optional(count), reblogs: Type.Optional(count), replies: Type.Optional(count)
}, closed)
export type Metrics = Static<typeof MetricsSchema>

export const postKinds = ['post', 'reply', 'repost'] as const

export const PostSchema = Type.Object({
  id: Id,
  accountId: Id,
  remoteId: word(200),
  url: Nullable(url),
  kind: OneOf(postKinds),
  publishedAt: At,
  editedAt: Nullable(At),
  text: word(200_000),
  language: Nullable(word(64)),
  tags: Type.Array(word(200), { maxItems: 200 }),
  mentions: Type.Array(word(300), { maxItems: 200 }),
  links: Type.Array(url, { maxItems: 200 }),
  replyTo: Nullable(word(200)),
  repostOf: Nullable(word(200)),
  isSensitive: Type.Boolean(),
  metrics: MetricsSchema,
  metricsAt: At,
  state: OneOf(['live', 'gone']),
  goneAt: Nullable(At),
  version: Type.Integer({ minimum: 1 }),
  createdAt: At,
  updatedAt: At
}, { ...closed, $id: 'SocialPost' })
export type Post = Static<typeof PostSchema>
export const PostPageSchema = pageOf(PostSchema, 'SocialPostPage')

export const assetStates = ['pending', 'fetching', 'ready', 'rejected', 'gone', 'failed', 'skipped'] as const
export type AssetState = typeof assetStates[number]
export const assetKinds = ['image', 'video', 'animation', 'audio', 'unknown'] as const

export const AssetSchema = Type.Object({
  id: Id,
  accountId: Id,
  postId: Id,
  position: count,
  remoteUrl: url,
  kind: OneOf(assetKinds),
  alt: Nullable(word(10_000)),
  width: Nullable(count),
  height: Nullable(count),
  durationMs: Nullable(count),
  state: OneOf(assetStates),
  reason: Nullable(word(64)),
  fileId: Nullable(Id),
  downloadId: Nullable(Id),
  url: Type.Optional(
    Type.String({ maxLength: 2083, description: 'Signed address of the cleaned file, once it is ready' })),
  thumbUrl: Type.Optional(Type.String({ maxLength: 2083, description: 'Signed address of its thumbnail' })),
  version: Type.Integer({ minimum: 1 }),
  createdAt: At,
  updatedAt: At
}, { ...closed, $id: 'SocialAsset' })
export type Asset = Static<typeof AssetSchema>
export const AssetPageSchema = pageOf(AssetSchema, 'SocialAssetPage')

export const reportNames = ['engagement-by-day', 'hashtag-performance'] as const
export type ReportName = typeof reportNames[number]

export const ReportSchema = Type.Object({
  name: OneOf(reportNames),
  zone: word(64),
  from: At,
  to: At,
  rows: Type.Array(Type.Object({
    day: Type.Optional(word(10)),
    tag: Type.Optional(word(200)),
    posts: count,
    favourites: Type.Optional(count),
    reblogs: Type.Optional(count),
    replies: Type.Optional(count),
    engagement: Type.Optional(count)
  }, closed), { maxItems: 1000 })
}, { ...closed, $id: 'SocialReport' })
export type Report = Static<typeof ReportSchema>

export const SocialDownloadPageSchema = pageOf(DownloadSchema, 'SocialDownloadPage')

export const schemas = [
  ProfileSchema, AccountSchema, AccountPageSchema, AccountPatchSchema, AccountHealthSchema, NewConnectionSchema,
  ReconnectSchema, ConnectionSchema, PostSchema, PostPageSchema, AssetSchema, AssetPageSchema, ReportSchema,
  SocialDownloadPageSchema
]
