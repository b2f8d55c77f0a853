import {
  type Actor, type AddedRun, type EventBus, type JobContext, type JobSender, type Session, type Tx
} from '../kernel/index.ts'
import type { Static } from 'typebox'
import type { SocialAccess } from './access.ts'
import { mustBeActive } from './accounts.ts'
import { connectorOf } from './connections.ts'
import { SocialError } from './errors.ts'
import { assetGone, assetReady, assetRejected } from './events.ts'
import { fetchAsset } from './jobs.ts'
import type { StoredAccount } from './repository/accounts.ts'
import type { StoredAsset } from './repository/assets.ts'
import { downloadOf, isWanted, read, type SyncCollaborators } from './sync/index.ts'

type Collaborators = SyncCollaborators & { access: SocialAccess, events: EventBus, jobs: JobSender, tx: Tx }

type FetchContext = JobContext<Static<typeof fetchAsset.data>>

export interface Failure { downloadId: string, code: string, status?: number }

/** A file host answers these for an address that has expired; it says nothing about the account. */
const refusedStatus = new Set([401, 403, 404, 410])

export type Assets = ReturnType<typeof createAssets>

/** What becomes of the media of a post (`social.md` 4.7). */
export function createAssets (collaborators: Collaborators) {
  const { access, accounts, assets, jobs, tx, clock } = collaborators
  return {
    /** Fetches again what was skipped, failed or rejected. Throws `asset_gone`, `asset_policy`. */
    async fetchAgain (actor: Actor, id: string, lane: 'interactive' | 'bulk'): Promise<AddedRun> {
      const asset = await access.asset(actor, id)
      if (asset.state === 'gone') throw SocialError.asset_gone({ id })
      const account = await access.account(actor, asset.accountId)
      mustBeActive(account)
      if (!isWanted(account.mediaPolicy, asset.kind)) throw SocialError.asset_policy({ id })
      const { workspaceId } = actor
      return await tx(async (session) => await jobs.add(session, fetchAsset, { workspaceId, assetId: id, lane }))
    },

    /** A start of `social.fetch-asset`: asks the platform for a fresh address where told, then the downloader. */
    async runFetch (ctx: FetchContext): Promise<void> {
      const { workspaceId, assetId, lane, isReread = false } = ctx.run.data
      const asset = await assets.find(workspaceId, assetId)
      const account = asset === undefined ? undefined : await accounts.find(workspaceId, asset.accountId)
      if (asset === undefined || account === undefined || asset.state === 'ready' || asset.state === 'gone') return
      const remoteUrl = isReread ? await freshUrl(collaborators, ctx, account, asset) : asset.remoteUrl
      await ctx.commit(async (session) => {
        if (remoteUrl === null || (isReread && remoteUrl === asset.remoteUrl)) {
          await settle(collaborators, session, asset, { state: 'gone', reason: null })
          return
        }
        await start(collaborators, session, account, { ...asset, remoteUrl }, lane)
      })
    },

    /** The downloader gave up: an expired address is asked for anew, once; the rest has failed. */
    async noteFailed (workspaceId: string, { downloadId, code, status }: Failure): Promise<void> {
      const isRefused = status !== undefined && refusedStatus.has(status)
      await tx(async (session) => {
        for (const asset of await assets.findWaiting(session, workspaceId, { downloadId })) {
          if (isRefused && !asset.isReread) {
            await assets.change(session, asset, { isReread: true, state: 'pending', updatedAt: clock.now() })
            await jobs.add(session, fetchAsset, { workspaceId, assetId: asset.id, lane: 'bulk', isReread: true }, {
              key: `reread:${asset.id}:${downloadId}`
            })
          } else if (isRefused) await settle(collaborators, session, asset, { state: 'gone', reason: null })
          else await settle(collaborators, session, asset, { state: 'failed', reason: code.slice(0, 64) })
        }
      })
    },

    async noteReady (workspaceId: string, fileId: string): Promise<void> {
      await noteFile(collaborators, workspaceId, fileId, { state: 'ready', reason: null })
    },

    async noteRejected (workspaceId: string, fileId: string, reason: string): Promise<void> {
      await noteFile(collaborators, workspaceId, fileId, { state: 'rejected', reason: reason.slice(0, 64) })
    }
  }
}

interface Outcome { state: 'ready' | 'rejected' | 'gone' | 'failed', reason: string | null }

const eventOf = { ready: assetReady, rejected: assetRejected, gone: assetGone } as const

/** The end of an asset, with its event; a repeat finds another version and changes nothing. */
async function settle (
  { assets, events, clock }: Collaborators, session: Session, asset: StoredAsset, { state, reason }: Outcome
): Promise<void> {
  if (!await assets.change(session, asset, { state, reason, updatedAt: clock.now() }) || state === 'failed') return
  const { id: assetId, accountId, postId, workspaceId } = asset
  await events.emit(
    session, eventOf[state], { accountId, postId, assetId, ...(reason === null ? {} : { reason }) },
    { type: 'asset', id: assetId }, { workspaceId })
}

async function noteFile (
  collaborators: Collaborators, workspaceId: string, fileId: string, outcome: Outcome
): Promise<void> {
  await collaborators.tx(async (session) => {
    for (const asset of await collaborators.assets.findWaiting(session, workspaceId, { fileId })) {
      await settle(collaborators, session, asset, outcome)
    }
  })
}

async function start (
  { assets, fetch, clock }: Collaborators, session: Session, account: StoredAccount, asset: StoredAsset,
  lane: 'interactive' | 'bulk'
): Promise<void> {
  const [download] = await fetch.download(session, [downloadOf(account, asset, lane)])
  if (download === undefined) throw new Error('the downloader answered nothing')
  await assets.change(session, asset, {
    remoteUrl: asset.remoteUrl,
    downloadId: download.id,
    fileId: download.fileId,
    state: 'fetching',
    reason: null,
    updatedAt: clock.now()
  })
}

/** The address that the platform gives the file now; null where it has it no more. */
async function freshUrl (
  collaborators: Collaborators, ctx: FetchContext, account: StoredAccount, asset: StoredAsset
): Promise<string | null> {
  const post = await collaborators.posts.find(account.workspaceId, asset.postId)
  if (post === undefined) return null
  const connector = connectorOf(collaborators.connectors, account.platform)
  const remote = await read(collaborators, { ctx, account, connector }, 'post', async (call) =>
    await connector.readPost(post.remoteId, call))
  return remote?.attachments[asset.position]?.remoteUrl ?? null
}
