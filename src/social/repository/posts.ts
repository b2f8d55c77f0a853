import type { ClientSession, Collection, Db, Filter } from 'mongodb'
import type { Metrics, postKinds } from '../schemas.ts'

export interface PostRow {
  _id: string
  workspaceId: string
  accountId: string
  remoteId: string
  url: string | null
  kind: typeof postKinds[number]
  publishedAt: Date
  editedAt: Date | null
  text: string
  language: string | null
  tags: string[]
  mentions: string[]
  links: string[]
  replyTo: string | null
  repostOf: string | null
  isSensitive: boolean
  metrics: Metrics
  metricsAt: Date
  contentHash: string
  /** When a complete read of its range first did not show it. */
  missingAt: Date | null
  goneAt: Date | null
  version: number
  createdAt: Date
  updatedAt: Date
}

export interface StoredPost extends Omit<PostRow, '_id'> { id: string }

/** What the change test needs of a known post. */
export type KnownPost =
  Pick<StoredPost, 'id' | 'remoteId' | 'contentHash' | 'metrics' | 'publishedAt' | 'missingAt' | 'goneAt'>

export type ShownPost = Pick<StoredPost, 'id' | 'remoteId' | 'publishedAt' | 'text'>

export interface PostQuery {
  from?: Date
  to?: Date
  tag?: string
  kind?: readonly string[]
  state?: 'live' | 'gone'
  after?: { publishedAt: Date, id: string }
  limit: number
}

export type PostRepository = ReturnType<typeof createPostRepository>

export function createPostRepository (db: Db) {
  const rows = db.collection<PostRow>('social.posts')
  return { ...reading(rows), ...writing(rows) }
}

function reading (rows: Collection<PostRow>) {
  return {
    async find (workspaceId: string, id: string): Promise<StoredPost | undefined> {
      const row = await rows.findOne({ _id: id, workspaceId })
      return row === null ? undefined : toPost(row)
    },

    /** What the feed shows of posts, by id, in no order. */
    async findShown (workspaceId: string, ids: readonly string[]): Promise<ShownPost[]> {
      const found = await rows.find(
        { workspaceId, _id: { $in: [...ids] } }, { projection: { remoteId: 1, publishedAt: 1, text: 1 } }).toArray()
      return found.map(({ _id, ...row }) => ({ id: _id, ...row }))
    },

    /** Newest first, one more than `limit`. */
    async list (workspaceId: string, accountId: string, query: PostQuery): Promise<StoredPost[]> {
      const found = await rows.find(filterOf(workspaceId, accountId, query))
        .sort({ publishedAt: -1, _id: -1 }).limit(query.limit + 1).toArray()
      return found.map(toPost)
    },

    /** The known ones of a page, by remote id; in the transaction that adds the others, where there is one. */
    async findKnown (
      session: ClientSession | undefined, workspaceId: string, accountId: string, remoteIds: readonly string[]
    ): Promise<Map<string, KnownPost>> {
      const known = await rows.find(
        { workspaceId, accountId, remoteId: { $in: [...remoteIds] } },
        { projection: knownFields, ...(session === undefined ? {} : { session }) }).toArray()
      return new Map(known.map(({ _id, ...row }) => [row.remoteId, { id: _id, ...row }]))
    },

    /** Live posts of a range, without their texts: what a complete read of it must show. */
    async findLive (workspaceId: string, accountId: string, from: Date, to: Date): Promise<KnownPost[]> {
      const known = await rows.find(
        { workspaceId, accountId, publishedAt: { $gte: from, $lt: to }, goneAt: null },
        { projection: knownFields }).toArray()
      return known.map(({ _id, ...row }) => ({ id: _id, ...row }))
    }
  }
}

const knownFields = { remoteId: 1, contentHash: 1, metrics: 1, publishedAt: 1, missingAt: 1, goneAt: 1 }

function writing (rows: Collection<PostRow>) {
  return {
    async addMany (session: ClientSession, posts: readonly StoredPost[]): Promise<void> {
      await rows.insertMany(posts.map(({ id, ...post }) => ({ _id: id, ...post })), { session, ordered: true })
    },

    async change (
      session: ClientSession, workspaceId: string, id: string, set: Partial<Omit<PostRow, '_id' | 'version'>>
    ): Promise<void> {
      await rows.updateOne({ _id: id, workspaceId }, { $set: set, $inc: { version: 1 } }, { session })
    }
  }
}

function filterOf (
  workspaceId: string, accountId: string, { from, to, tag, kind, state, after }: PostQuery
): Filter<PostRow> {
  const range = { ...(from === undefined ? {} : { $gte: from }), ...(to === undefined ? {} : { $lt: to }) }
  return {
    workspaceId,
    accountId,
    ...(from === undefined && to === undefined ? {} : { publishedAt: range }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(kind === undefined ? {} : { kind: { $in: kind as Array<PostRow['kind']> } }),
    ...(state === undefined ? {} : { goneAt: state === 'gone' ? { $type: 'date' } : null }),
    ...(after === undefined
      ? {}
      : {
          $or: [{ publishedAt: { $lt: after.publishedAt } }, { publishedAt: after.publishedAt, _id: { $lt: after.id } }]
        })
  }
}

function toPost ({ _id, ...row }: PostRow): StoredPost {
  return { id: _id, ...row }
}
