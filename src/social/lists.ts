import type { Actor } from '../kernel/index.ts'
import type { DownloadView } from '../fetch/index.ts'
import type { SocialAccess } from './access.ts'
import { presentAsset, presentPost } from './present.ts'
import { refuse } from './reports.ts'
import type { AssetRepository, StoredAsset } from './repository/assets.ts'
import type { PostQuery, PostRepository, StoredPost } from './repository/posts.ts'
import type { Asset, AssetState, Post } from './schemas.ts'
import { instantOf } from './zones.ts'

export interface FileLinks { url: string, thumbUrl: string }

interface Collaborators {
  access: SocialAccess
  posts: PostRepository
  assets: AssetRepository
  /** Signed addresses of cleaned files. */
  links: (workspaceId: string, fileIds: readonly string[]) => Promise<ReadonlyMap<string, FileLinks>>
  downloads: (actor: Actor, ids: readonly string[]) => Promise<DownloadView[]>
}

export interface PostListQuery extends Omit<PostQuery, 'from' | 'to'> { from?: string, to?: string }

interface AssetQuery {
  state?: readonly AssetState[]
  kind?: readonly string[]
  postId?: readonly string[]
  after?: string
  limit: number
}

export type Lists = ReturnType<typeof createLists>

/** What an account has shown: posts, assets, transfers. */
export function createLists ({ access, posts, assets, links, downloads }: Collaborators) {
  return {
    /** Newest first, one more than `limit`. Answers rows: a cursor needs their sort values. */
    async posts (actor: Actor, accountId: string, { from, to, ...query }: PostListQuery): Promise<StoredPost[]> {
      const { zone } = await access.account(actor, accountId)
      return await posts.list(actor.workspaceId, accountId, {
        ...query,
        ...(from === undefined ? {} : { from: instant(from, zone, '/from') }),
        ...(to === undefined ? {} : { to: instant(to, zone, '/to') })
      })
    },

    async post (actor: Actor, id: string): Promise<Post> {
      return presentPost(await access.post(actor, id))
    },

    /** In the order in which they were found, one more than `limit`. */
    async assets (actor: Actor, accountId: string, query: AssetQuery): Promise<Asset[]> {
      await access.account(actor, accountId)
      return await withLinks(actor, await assets.list(actor.workspaceId, accountId, query))
    },

    async asset (actor: Actor, id: string): Promise<Asset> {
      const [asset] = await withLinks(actor, [await access.asset(actor, id)])
      return asset as Asset
    },

    /** Transfers of the account's assets with the id of the asset that each page goes on from. */
    async downloads (
      actor: Actor, accountId: string, { state, ...page }: { state?: readonly string[], after?: string, limit: number }
    ): Promise<{ downloads: DownloadView[], next: string | undefined }> {
      await access.account(actor, accountId)
      const found = await assets.listFetched(actor.workspaceId, accountId, page)
      const shown = found.slice(0, page.limit)
      const ids = [...new Set(shown.map(({ downloadId }) => downloadId).filter((id) => id !== null))]
      const rows = await downloads(actor, ids)
      return {
        downloads: state === undefined ? rows : rows.filter((row) => state.includes(row.state)),
        next: found.length > page.limit ? shown.at(-1)?.id : undefined
      }
    },

    /** Whether the actor may follow the account. Throws `account_not_found`. */
    async follow (actor: Actor, accountId: string): Promise<void> {
      await access.account(actor, accountId)
    }
  }

  async function withLinks ({ workspaceId }: Actor, found: readonly StoredAsset[]): Promise<Asset[]> {
    const ready = found.flatMap(({ state, fileId }) => state === 'ready' && fileId !== null ? [fileId] : [])
    const signed = ready.length === 0 ? new Map<string, FileLinks>() : await links(workspaceId, ready)
    return found.map((asset) => presentAsset(asset, asset.fileId === null ? undefined : signed.get(asset.fileId)))
  }
}

function instant (text: string, zone: string, pointer: string): Date {
  const at = instantOf(text, zone)
  if (at === undefined) throw refuse(pointer)
  return at
}
