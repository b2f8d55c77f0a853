import {
  HttpError, type Actor, type AddedRun, type Clock, type EventBus, type JobSender, type Tx
} from '../kernel/index.ts'
import type { SocialAccess } from './access.ts'
import { SocialError } from './errors.ts'
import { accountDisconnected } from './events.ts'
import { changeHealth, fixOf } from './health.ts'
import { disconnectAccount, syncAccount } from './jobs.ts'
import { presentAccount, presentHealth } from './present.ts'
import { refuse } from './reports.ts'
import type { AccountRepository, StoredAccount } from './repository/accounts.ts'
import type { Account, AccountHealth, AccountPatch, Profile } from './schemas.ts'
import { isZone } from './zones.ts'

interface Collaborators {
  accounts: AccountRepository
  access: SocialAccess
  events: EventBus
  jobs: JobSender
  tx: Tx
  clock: Clock
  /** Whether a run that was asked for has not ended yet. */
  isLive: (workspaceId: string, runId: string) => Promise<boolean>
}

export interface AccountQuery {
  platform?: readonly string[], health?: readonly string[], q?: string, after?: string, limit: number
}

export type Accounts = ReturnType<typeof createAccounts>

export function createAccounts (collaborators: Collaborators) {
  const { accounts, access } = collaborators
  return {
    /** One more than `limit`, by id. */
    async list ({ workspaceId }: Actor, query: AccountQuery): Promise<Account[]> {
      return (await accounts.list(workspaceId, query)).map(presentAccount)
    },

    async get (actor: Actor, id: string): Promise<Account> {
      return presentAccount(await access.account(actor, id))
    },

    async profile (actor: Actor, id: string): Promise<Profile> {
      return (await access.account(actor, id)).profile
    },

    async health (actor: Actor, id: string): Promise<AccountHealth> {
      const { health, secretGeneration: generation, limits, lastSuccessAt } = await access.account(actor, id)
      return {
        ...presentHealth(health),
        fix: fixOf(health.state),
        secret: { generation },
        limits,
        lastSuccessAt: lastSuccessAt?.toISOString() ?? null
      }
    },

    patch: async (actor: Actor, id: string, patch: AccountPatch, version: number): Promise<Account> =>
      await changeAccount(collaborators, actor, id, patch, version),

    /** Asks for a sync; its run is the operation. Throws `sync_running`, `account_needs_reauth` and its kin. */
    sync: async (actor: Actor, id: string, { isFull }: { isFull?: boolean | undefined }): Promise<AddedRun> =>
      await askSync(collaborators, actor, id, isFull),

    /** Stops everything at once; the token is revoked by a run, which is the operation. */
    disconnect: async (actor: Actor, id: string): Promise<AddedRun> => await disconnect(collaborators, actor, id)
  }
}

async function changeAccount (
  { accounts, access, tx, clock }: Collaborators, actor: Actor, id: string, patch: AccountPatch, version: number
): Promise<Account> {
  const before = await access.account(actor, id)
  if (patch.zone !== undefined && !isZone(patch.zone)) throw refuse('/zone', 'body')
  const set = {
    ...(patch.label === undefined ? {} : { label: patch.label }),
    ...(patch.zone === undefined ? {} : { zone: patch.zone }),
    ...(patch.syncPolicy === undefined ? {} : { syncPolicy: { ...before.syncPolicy, ...patch.syncPolicy } }),
    ...(patch.mediaPolicy === undefined ? {} : { mediaPolicy: { ...before.mediaPolicy, ...patch.mediaPolicy } }),
    updatedAt: clock.now()
  }
  const after = await tx(async (session) => await accounts.change(session, before, { set }, { version }))
  if (after === undefined) throw HttpError.precondition_failed()
  return presentAccount(after)
}

async function askSync (
  { accounts, access, jobs, tx, isLive, clock }: Collaborators, actor: Actor, id: string, isFull?: boolean
): Promise<AddedRun> {
  const { workspaceId } = actor
  const { activeRunId } = await access.account(actor, id)
  if (activeRunId !== null && await isLive(workspaceId, activeRunId)) throw SocialError.sync_running({ id })
  return await tx(async (session) => {
    const account = await accounts.find(workspaceId, id, session)
    if (account === undefined) throw SocialError.account_not_found({ id })
    mustBeActive(account)
    // Somebody else asked between our look and this transaction.
    if (account.activeRunId !== activeRunId) throw SocialError.sync_running({ id })
    const run = await jobs.add(session, syncAccount, {
      workspaceId, accountId: id, reason: 'asked', ...(isFull === undefined ? {} : { isFull })
    })
    await accounts.change(session, account, { set: { activeRunId: run.id, updatedAt: clock.now() } })
    return run
  })
}

export function mustBeActive ({ id, health }: StoredAccount): void {
  if (health.state === 'needs_reauth') throw SocialError.account_needs_reauth({ id })
  if (health.state === 'disconnected') throw SocialError.account_disconnected({ id })
}

async function disconnect (collaborators: Collaborators, actor: Actor, id: string): Promise<AddedRun> {
  const { access, events, jobs, tx } = collaborators
  const { workspaceId } = actor
  const before = await access.account(actor, id)
  if (before.health.state === 'disconnected') throw SocialError.account_disconnected({ id })
  return await tx(async (session) => {
    const also = { activeRunId: null, nextSyncAt: null }
    const after = await changeHealth(
      collaborators, session, before, { from: before.health.state, to: 'disconnected', also })
    if (after === undefined) throw SocialError.account_disconnected({ id })
    await events.emit(
      session, accountDisconnected, { accountId: id, version: after.version }, { type: 'account', id }, { workspaceId })
    const generation = before.secretGeneration
    return await jobs.add(session, disconnectAccount, { workspaceId, accountId: id, generation }, {
      key: `disconnect:${id}:${after.version}`
    })
  })
}
