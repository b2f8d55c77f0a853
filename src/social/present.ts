import type { StoredAccount } from './repository/accounts.ts'
import type { StoredAsset } from './repository/assets.ts'
import type { StoredPost } from './repository/posts.ts'
import type { Account, Asset, Health, Post } from './schemas.ts'

/** An account as REST shows it; the keys of its live topic are the same values. */
export function presentAccount (account: StoredAccount): Account {
  const { workspaceId, activeRunId, health, nextSyncAt, lastSuccessAt, createdAt, updatedAt, kind, ...rest } = account
  return {
    ...rest,
    health: presentHealth(health),
    nextSyncAt: nextSyncAt?.toISOString() ?? null,
    lastSuccessAt: lastSuccessAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString()
  }
}

export function presentHealth ({ state, since, evidence }: StoredAccount['health']): Health {
  return { state, since: since.toISOString(), evidence }
}

/** The keys of `social.account:<id>`, each with its whole value. */
export function presentKeys (account: StoredAccount): Array<{ kind: string, key: string, data: unknown }> {
  const { profile, sync, counts, limits } = account
  return Object.entries({ health: presentHealth(account.health), profile, sync, counts, limits })
    .map(([key, data]) => ({ kind: key, key, data }))
}

export function presentPost (post: StoredPost): Post {
  const {
    workspaceId, contentHash, missingAt, publishedAt, editedAt, metricsAt, goneAt, createdAt, updatedAt, ...rest
  } = post
  return {
    ...rest,
    publishedAt: publishedAt.toISOString(),
    editedAt: editedAt?.toISOString() ?? null,
    metricsAt: metricsAt.toISOString(),
    state: goneAt === null ? 'live' : 'gone',
    goneAt: goneAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString()
  }
}

/** No byte of an asset is reachable before media has cleaned its file. */
export function presentAsset (asset: StoredAsset, links?: { url: string, thumbUrl: string }): Asset {
  const { workspaceId, previewUrl, isReread, createdAt, updatedAt, ...rest } = asset
  return {
    ...rest,
    ...(asset.state === 'ready' && links !== undefined ? { url: links.url, thumbUrl: links.thumbUrl } : {}),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString()
  }
}
