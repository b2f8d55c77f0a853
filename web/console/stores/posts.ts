import { follow, type Pub } from '../live.ts'
import { calmly, createList } from './list.ts'
import { createShelf } from './shared.ts'
import type { Post } from './shapes.ts'

interface BatchItem { postId: string, remoteId: string, change: string, publishedAt: string, text?: string }

const pageSize = 50

function byNewest (a: Post, b: Post): number {
  if (a.publishedAt !== b.publishedAt) return a.publishedAt < b.publishedAt ? 1 : -1
  return a.id < b.id ? 1 : -1
}

/** Posts by account: pages of the interface, moved by the batches of the feed. */
export const posts = createShelf((accountId) => {
  const list = createList<Post>({
    path: `/v1/social/accounts/${accountId}/posts`, idOf: ({ id }) => id, compare: byNewest, pageSize
  })
  const reload = calmly(async () => { await list.load({ keeps: true }) }, 3000)

  function take (items: readonly BatchItem[]): void {
    const shown = list.items.peek()
    const known = new Set(shown.map(({ id }) => id))
    const oldest = shown.length < pageSize ? '' : shown.at(-1)?.publishedAt ?? ''
    const gone = new Set(items.filter(({ change }) => change === 'gone').map(({ postId }) => postId))
    // What is older than the pages read so far comes with its page.
    const fresh = items.filter(({ postId, publishedAt, change }) =>
      change !== 'gone' && !known.has(postId) && publishedAt > oldest)
    if (fresh.length > 0) list.put(fresh.map((item) => toPost(accountId, item)))
    for (const id of gone) list.change(id, (post) => ({ ...post, state: 'gone' }))
    if (fresh.length > 0 || items.some(({ postId }) => known.has(postId))) reload()
  }

  return {
    store: list,
    open: () => follow(`social.feed:${accountId}`, {
      getState: async () => await list.load({ keeps: true }),
      onPub: ({ k, d }: Pub) => { if (k === 'batch') take(d['items'] as BatchItem[]) }
    })
  }
})

function toPost (accountId: string, { postId, remoteId, publishedAt, text = '' }: BatchItem): Post {
  return {
    id: postId,
    accountId,
    remoteId,
    url: null,
    kind: 'post',
    publishedAt,
    text,
    tags: [],
    isSensitive: false,
    metrics: {},
    state: 'live',
    isPartial: true
  }
}
