import type { Static } from 'typebox'
import type { DomainEvent, Live } from '../kernel/index.ts'
import type { accountHealthChanged, postsSynced } from './events.ts'
import { presentHealth } from './present.ts'
import type { AccountRepository } from './repository/accounts.ts'
import type { PostRepository, ShownPost } from './repository/posts.ts'
import { feedTopic, type BatchSchema } from './topics.ts'

type Batch = Static<typeof BatchSchema>
type Synced = Static<typeof postsSynced.data>

const mostBytes = 32 * 1024
const mostText = 140

export type Feed = ReturnType<typeof createFeed>

/** The action feed of an account: one publication per event, repeated harmlessly by its `mid`. */
export function createFeed (
  { posts, accounts, live }: { posts: PostRepository, accounts: AccountRepository, live: Live }
) {
  return {
    async publishPosts ({ id, workspaceId, data }: DomainEvent<Synced>): Promise<void> {
      const known = await posts.findShown(workspaceId, data.items.map(({ postId }) => postId))
      await live.publish(
        feedTopic, { accountId: data.accountId }, { kind: 'batch', data: batchOf(data, known), mid: id })
    },

    async publishHealth (
      { id, workspaceId, data }: DomainEvent<Static<typeof accountHealthChanged.data>>
    ): Promise<void> {
      const account = await accounts.find(workspaceId, data.accountId)
      if (account === undefined) return
      await live.publish(
        feedTopic, { accountId: account.id }, { kind: 'health', data: presentHealth(account.health), mid: id })
    }
  }
}

/** At most 32 KiB: above it the texts go, never an item. */
export function batchOf ({ syncId, isBackfill, items }: Synced, posts: readonly ShownPost[]): Batch {
  const byId = new Map(posts.map((post) => [post.id, post]))
  const shown = items.flatMap(({ postId, change }) => {
    const post = byId.get(postId)
    if (post === undefined) return []
    const { remoteId, publishedAt, text } = post
    return [{ postId, remoteId, change, publishedAt: publishedAt.toISOString(), text: shorten(text) }]
  })
  const batch = { syncId, isBackfill, items: shown }
  if (Buffer.byteLength(JSON.stringify(batch)) <= mostBytes) return batch
  return { ...batch, items: shown.map(({ text, ...item }) => item) }
}

/** Never half of a character. */
function shorten (text: string): string {
  return text.length <= mostText ? text : text.slice(0, mostText).toWellFormed().replace(/\uFFFD$/, '')
}
