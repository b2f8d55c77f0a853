import type { ClientSession, Collection, Db } from 'mongodb'
import type { AssetState, assetKinds } from '../schemas.ts'

export interface AssetRow {
  _id: string
  workspaceId: string
  accountId: string
  postId: string
  position: number
  remoteUrl: string
  previewUrl: string | null
  kind: typeof assetKinds[number]
  alt: string | null
  width: number | null
  height: number | null
  durationMs: number | null
  downloadId: string | null
  fileId: string | null
  state: AssetState
  reason: string | null
  /** Its post was read again once after the file host refused the address. */
  isReread: boolean
  version: number
  createdAt: Date
  updatedAt: Date
}

export interface StoredAsset extends Omit<AssetRow, '_id'> { id: string }

export type AssetRepository = ReturnType<typeof createAssetRepository>

export function createAssetRepository (db: Db) {
  const rows = db.collection<AssetRow>('social.assets')
  return { ...reading(rows), ...writing(rows) }
}

function reading (rows: Collection<AssetRow>) {
  return {
    async find (workspaceId: string, id: string, session?: ClientSession): Promise<StoredAsset | undefined> {
      const row = await rows.findOne({ _id: id, workspaceId }, session === undefined ? {} : { session })
      return row === null ? undefined : toAsset(row)
    },

    async list (
      workspaceId: string, accountId: string,
      { state, kind, postId, after, limit }: {
        state?: readonly AssetState[]
        kind?: readonly string[]
        postId?: readonly string[]
        after?: string
        limit: number
      }
    ): Promise<StoredAsset[]> {
      const found = await rows.find({
        workspaceId,
        accountId,
        ...(after === undefined ? {} : { _id: { $gt: after } }),
        ...(state === undefined ? {} : { state: { $in: [...state] } }),
        ...(postId === undefined ? {} : { postId: { $in: [...postId] } }),
        ...(kind === undefined ? {} : { kind: { $in: kind as Array<AssetRow['kind']> } })
      }).sort({ _id: 1 }).limit(limit + 1).toArray()
      return found.map(toAsset)
    },

    /** Assets that have a transfer, by id; one more than `limit`. */
    async listFetched (
      workspaceId: string, accountId: string, { after, limit }: { after?: string, limit: number }
    ): Promise<StoredAsset[]> {
      const found = await rows.find({
        workspaceId, accountId, downloadId: { $type: 'string' }, ...(after === undefined ? {} : { _id: { $gt: after } })
      }).sort({ _id: 1 }).limit(limit + 1).toArray()
      return found.map(toAsset)
    },

    async findOfPosts (
      session: ClientSession, workspaceId: string, postIds: readonly string[]
    ): Promise<StoredAsset[]> {
      return (await rows.find({ workspaceId, postId: { $in: [...postIds] } }, { session }).toArray()).map(toAsset)
    },

    /** Assets that wait for these downloads or files. */
    async findWaiting (
      session: ClientSession, workspaceId: string, by: { downloadId: string } | { fileId: string }
    ): Promise<StoredAsset[]> {
      return (await rows.find({ ...by, workspaceId, state: 'fetching' }, { session }).toArray()).map(toAsset)
    },

    /** The accounts whose assets came by each download; for the listener, which names no workspace (P). */
    async accountsOf (downloadIds: readonly string[]): Promise<Map<string, string[]>> {
      const found = await rows.find(
        { downloadId: { $in: [...downloadIds] } }, { projection: { downloadId: 1, accountId: 1 } }).toArray()
      const accounts = new Map<string, Set<string>>()
      for (const { downloadId, accountId } of found) {
        if (downloadId === null) continue
        accounts.set(downloadId, (accounts.get(downloadId) ?? new Set()).add(accountId))
      }
      return new Map([...accounts].map(([id, of]) => [id, [...of]]))
    }
  }
}

function writing (rows: Collection<AssetRow>) {
  return {
    async addMany (session: ClientSession, assets: readonly StoredAsset[]): Promise<void> {
      await rows.insertMany(assets.map(({ id, ...asset }) => ({ _id: id, ...asset })), { session, ordered: true })
    },

    /** Compare-and-set on the version; false when somebody was faster. */
    async change (
      session: ClientSession, { workspaceId, id, version }: StoredAsset,
      set: Partial<Omit<AssetRow, '_id' | 'version'>>
    ): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, workspaceId, version }, { $set: set, $inc: { version: 1 } }, { session })
      return matchedCount === 1
    }
  }
}

function toAsset ({ _id, ...row }: AssetRow): StoredAsset {
  return { id: _id, ...row }
}
