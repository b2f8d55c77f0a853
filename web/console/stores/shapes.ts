/** What the interface answers, as far as the console shows it. */
export type HealthState = 'active' | 'needs_reauth' | 'disconnected'
export interface Evidence {
  at: string
  source: string
  step: string
  httpStatus: number | null
  code: string | null
  sentence: string
}

export interface Health { state: HealthState, since: string, evidence: Evidence[] }
export interface Sync {
  runId: string | null
  pages: number
  items: number
  state: 'idle' | 'running' | 'done' | 'failed'
}

export interface Limit { key: string, limit: number, remaining: number, resetAt: string | null }
export interface Counts { followers?: number, following?: number, posts?: number, stored: number }
export interface Profile { name: string, handle: string, url: string | null, bio: string }

export interface Account {
  id: string
  platform: string
  instance: string
  handle: string
  label: string
  zone: string
  health: Health
  profile: Profile
  sync: Sync
  counts: Counts
  limits: Limit[]
  nextSyncAt: string | null
  lastSuccessAt: string | null
  version: number
  createdAt: string
}

export interface AccountHealth extends Health {
  fix: { key: string, text: string, url?: string } | null
  secret: { generation: number, accessExpiresAt?: string }
  limits: Limit[]
  lastSuccessAt: string | null
}

export interface Post {
  id: string
  accountId: string
  remoteId: string
  url: string | null
  kind: 'post' | 'reply' | 'repost'
  publishedAt: string
  text: string
  tags: string[]
  isSensitive: boolean
  metrics: { favourites?: number, reblogs?: number, replies?: number }
  state: 'live' | 'gone'
  /** Told by the feed; the whole post is on its way. */
  isPartial?: boolean
}

export interface Asset {
  id: string
  postId: string
  kind: string
  alt: string | null
  width: number | null
  height: number | null
  state: 'pending' | 'fetching' | 'ready' | 'rejected' | 'gone' | 'failed' | 'skipped'
  reason: string | null
  url?: string
  thumbUrl?: string
}

export type DownloadState =
  'queued' | 'probing' | 'downloading' | 'verifying' | 'storing' | 'done' | 'paused' | 'failed' | 'cancelled'

export interface Download {
  id: string
  fileId: string
  url?: string
  name?: string | null
  state: DownloadState
  bytes: number
  total: number | null
  rate: number | null
  etaMs: number | null
  restarts: number
  errorCode: string | null
  sha256?: string | null
  type?: string | null
  createdAt?: string
  updatedAt?: string
}

export interface Metric { name: string, value: number, delta: number, at: string }

export interface AlertQuery {
  event: string
  where?: Array<{ prop: string, op: string, value: unknown }>
  range: { last: string } | { from: string, to: string }
}

export interface Alert {
  id: string
  name: string
  query: AlertQuery
  op: 'gt' | 'gte' | 'lt' | 'lte'
  threshold: number
  forMs: number
  everyMs: number
  isEnabled: boolean
  instance: { id: string, state: 'normal' | 'pending' | 'firing', since: string, value: number | null } | null
  createdAt: string
}

export interface InboxItem {
  id: string
  category: string
  title: string
  body: string
  link: string | null
  readAt: string | null
  createdAt: string
}

export interface CapturedMail { id: string, to: string, subject: string, text: string, at: string }
