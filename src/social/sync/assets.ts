import { uuidv7, type Session } from '../../kernel/index.ts'
import type { RemoteAttachment } from '../connectors/port.ts'
import type { StoredAccount } from '../repository/accounts.ts'
import type { StoredAsset } from '../repository/assets.ts'
import type { MediaPolicy } from '../schemas.ts'
import type { PagePlan } from './plan.ts'
import type { SyncCollaborators } from './turn.ts'

type Collaborators = Pick<SyncCollaborators, 'assets' | 'fetch' | 'clock'>

/** Adds the assets of pages and asks the downloader for them, in the transaction of the pages. */
export async function storeAssets (
  collaborators: Collaborators, session: Session, account: StoredAccount, plan: Pick<PagePlan, 'fresh' | 'changed'>
): Promise<void> {
  const fresh = plan.fresh.flatMap(({ post, remote }) =>
    remote.attachments.map(
      (attachment, position) => assetOf(account, post.id, position, attachment, collaborators.clock.now())))
  const edited = plan.changed.filter(({ isContent, remote }) => isContent && remote.attachments.length > 0)
  if (edited.length > 0) fresh.push(...await addedBy(collaborators, session, account, edited))
  if (fresh.length === 0) return
  await collaborators.assets.addMany(session, await ask(collaborators, session, account, fresh))
}

/** Attachments of edited posts whose place has no asset yet. */
async function addedBy (
  { assets, clock }: Collaborators, session: Session, account: StoredAccount, edited: PagePlan['changed']
): Promise<StoredAsset[]> {
  const known = await assets.findOfPosts(session, account.workspaceId, edited.map(({ post }) => post.id))
  const taken = new Set(known.map(({ postId, position }) => `${postId} ${position}`))
  return edited.flatMap(({ post: { id }, remote }) => remote.attachments
    .map((attachment, position) => assetOf(account, id, position, attachment, clock.now()))
    .filter(({ position }) => !taken.has(`${id} ${position}`)))
}

/** What the policy wants is asked for in one call; each such asset gets its download and the id of its file at once. */
async function ask (
  { fetch }: Collaborators, session: Session, account: StoredAccount, assets: readonly StoredAsset[]
): Promise<StoredAsset[]> {
  const wanted = assets.filter(({ kind }) => isWanted(account.mediaPolicy, kind))
  if (wanted.length === 0) return assets.map(skipped)
  const downloads = await fetch.download(session, wanted.map((asset) => downloadOf(account, asset)))
  const byAsset = new Map(wanted.map(({ id }, place) => [id, downloads[place]]))
  return assets.map((asset) => {
    const download = byAsset.get(asset.id)
    if (download === undefined) return skipped(asset)
    return { ...asset, state: 'fetching' as const, downloadId: download.id, fileId: download.fileId }
  })
}

export function downloadOf (
  { workspaceId, mediaPolicy }: StoredAccount, { remoteUrl: url }: StoredAsset, lane: 'interactive' | 'bulk' = 'bulk'
) {
  return { workspaceId, url, purpose: 'photo', maxBytes: mediaPolicy.maxBytes, lane }
}

export function isWanted ({ fetch }: MediaPolicy, kind: StoredAsset['kind']): boolean {
  return fetch === 'images' && kind === 'image'
}

function skipped (asset: StoredAsset): StoredAsset {
  return { ...asset, state: 'skipped', reason: 'policy' }
}

function assetOf (
  { workspaceId, id: accountId }: StoredAccount, postId: string, position: number,
  { remoteId, ...attachment }: RemoteAttachment, now: Date
): StoredAsset {
  return {
    id: uuidv7(),
    workspaceId,
    accountId,
    postId,
    position,
    ...attachment,
    downloadId: null,
    fileId: null,
    state: 'pending',
    reason: null,
    isReread: false,
    version: 1,
    createdAt: now,
    updatedAt: now
  }
}
