import { hash } from 'node:crypto'
import { uuidv7 } from '../../kernel/index.ts'
import type { RemotePost } from '../connectors/port.ts'
import type { Change } from '../events.ts'
import type { KnownPost, PostRow, StoredPost } from '../repository/posts.ts'
import type { Metrics } from '../schemas.ts'

interface Changed {
  post: KnownPost
  remote: RemotePost
  set: Partial<Omit<PostRow, '_id' | 'version'>>
  isContent: boolean
}

export interface PagePlan {
  fresh: Array<{ post: StoredPost, remote: RemotePost }>
  changed: Changed[]
  items: Array<{ postId: string, change: Change }>
  /** So many items of the page were known. */
  known: number
}

interface Place { workspaceId: string, accountId: string, now: Date }

/** What each page means against what is known and against the pages before it. */
export function plansOf (
  pages: ReadonlyArray<readonly RemotePost[]>, known: ReadonlyMap<string, KnownPost>, place: Place
): PagePlan[] {
  const soFar = new Map(known)
  return pages.map((items) => {
    const plan = planOf(items, soFar, place)
    for (const { post } of plan.fresh) soFar.set(post.remoteId, post)
    for (const { post, set } of plan.changed) soFar.set(post.remoteId, { ...post, ...set })
    return plan
  })
}

/** What a page means against what is known: unknown ones are added, changed ones are set, the rest costs nothing. */
export function planOf (
  items: readonly RemotePost[], known: ReadonlyMap<string, KnownPost>, { workspaceId, accountId, now }: Place
): PagePlan {
  const plan: PagePlan = { fresh: [], changed: [], items: [], known: 0 }
  for (const remote of unique(items)) {
    const contentHash = hashOf(remote)
    const post = known.get(remote.remoteId)
    if (post === undefined) {
      const fresh = freshPost(remote, { workspaceId, accountId, contentHash, now })
      plan.fresh.push({ post: fresh, remote })
      plan.items.push({ postId: fresh.id, change: 'discovered' })
      continue
    }
    plan.known++
    const isContent = post.contentHash !== contentHash || post.goneAt !== null || post.missingAt !== null
    if (!isContent && isSame(post.metrics, remote.metrics)) continue
    const told = { metrics: remote.metrics, metricsAt: now, updatedAt: now }
    const set = isContent
      ? { ...contentOf(remote), ...told, contentHash, missingAt: null, goneAt: null }
      : told
    plan.changed.push({ post, remote, set, isContent })
    plan.items.push({ postId: post.id, change: 'changed' })
  }
  return plan
}

/** A page that repeats an item would insert it twice. */
function unique (items: readonly RemotePost[]): RemotePost[] {
  return [...new Map(items.map((item) => [item.remoteId, item])).values()]
}

function freshPost (
  remote: RemotePost, { workspaceId, accountId, contentHash, now }: {
    workspaceId: string, accountId: string, contentHash: string, now: Date
  }
): StoredPost {
  return {
    id: uuidv7(),
    workspaceId,
    accountId,
    remoteId: remote.remoteId,
    ...contentOf(remote),
    metrics: remote.metrics,
    metricsAt: now,
    contentHash,
    missingAt: null,
    goneAt: null,
    version: 1,
    createdAt: now,
    updatedAt: now
  }
}

function contentOf (remote: RemotePost) {
  const {
    url, kind, publishedAt, editedAt, text, language, tags, mentions, links, replyTo, repostOf, isSensitive
  } = remote
  return {
    url,
    kind,
    publishedAt: new Date(publishedAt),
    editedAt: editedAt === null ? null : new Date(editedAt),
    text,
    language,
    tags,
    mentions,
    links,
    replyTo,
    repostOf,
    isSensitive
  }
}

/** Of what people see, in this order. Addresses of files are left out: platforms sign them anew at every read. */
function hashOf ({ attachments, ...post }: RemotePost): string {
  const files = attachments.map(({ remoteId, kind, alt }) => [remoteId, kind, alt])
  return hash('sha256', JSON.stringify([
    post.url, post.kind, post.publishedAt, post.editedAt, post.text, post.language, post.tags, post.mentions,
    post.links, post.replyTo, post.repostOf, post.isSensitive, files
  ]), 'base64url')
}

/** JSON with sorted keys. */
export function canonical (value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1))
      : part)
}

function isSame (a: Metrics, b: Metrics): boolean {
  return a.favourites === b.favourites && a.reblogs === b.reblogs && a.replies === b.replies
}
