import {
  uuidv7, type ActorRef, type Clock, type EventBus, type JobSender, type Session, type Tx
} from '../kernel/index.ts'
import type { Probe } from './connectors/port.ts'
import { SocialError } from './errors.ts'
import { accountConnected, accountReconnected } from './events.ts'
import { probeAccount } from './jobs.ts'
import type { AccountRepository, StoredAccount } from './repository/accounts.ts'
import type { CursorRepository } from './repository/cursors.ts'
import type { TokenSet, Vault } from './secrets.ts'
import type { Platform } from './schemas.ts'

interface Collaborators {
  accounts: AccountRepository
  cursors: CursorRepository
  vault: Vault
  events: EventBus
  jobs: JobSender
  tx: Tx
  clock: Clock
}

export interface Place { actor: ActorRef, platform: Platform, instance: string, reconnects: StoredAccount | null }
interface Found { probe: Probe, tokens: TokenSet, scopes: readonly string[] }
type Also = (session: Session, account: StoredAccount) => Promise<void>

const policies = {
  syncPolicy: { everyMinutes: 15, backfillPosts: 20_000 },
  mediaPolicy: { fetch: 'images' as const, maxBytes: 30 * 1024 * 1024 }
}

export type Enrolment = ReturnType<typeof createEnrolment>

/** What a successful sign-in leaves behind, in one transaction: account, secret, cursor, probe run, event. */
export function createEnrolment (collaborators: Collaborators) {
  const { vault } = collaborators
  return {
    /** Throws `account_duplicate` with the id of the account that is there. */
    async enrol (place: Place, found: Found, also: Also = async () => {}): Promise<StoredAccount> {
      const before = place.reconnects
      const account = before === null
        ? await add(collaborators, place, found, also)
        : await renew(collaborators, before, found, also)
      vault.announce(account.id)
      return account
    }
  }
}

async function add (
  { accounts, cursors, vault, events, jobs, tx, clock }: Collaborators, place: Place, found: Found, also: Also
): Promise<StoredAccount> {
  const id = uuidv7()
  const { workspaceId } = place.actor
  const sealed = await vault.seal({ workspaceId, accountId: id }, 1, found.tokens)
  return await tx(async (session) => {
    const now = clock.now()
    const account = await accounts.add(session, accountOf(id, place, found, now))
    if (account.id !== id) throw duplicate(account, found.probe)
    await vault.add(session, { workspaceId, accountId: id }, 1, sealed)
    await cursors.add(session, workspaceId, id, now)
    await jobs.add(session, probeAccount, { workspaceId, accountId: id, generation: 1 }, { key: `probe:${id}:1` })
    await events.emit(
      session, accountConnected, { accountId: id, version: 1 }, { type: 'account', id }, { workspaceId })
    await also(session, account)
    return account
  })
}

async function renew (
  { accounts, cursors, vault, events, jobs, tx, clock }: Collaborators, before: StoredAccount, found: Found, also: Also
): Promise<StoredAccount> {
  const { workspaceId, id } = before
  if (found.probe.remoteId !== before.remoteId) throw duplicate(before, found.probe)
  const generation = before.secretGeneration + 1
  const owner = { workspaceId, accountId: id }
  const sealed = await vault.seal(owner, generation, found.tokens)
  return await tx(async (session) => {
    const now = clock.now()
    const { probe: { profile, counts, limits } } = found
    const health = { state: 'active' as const, since: now, evidence: before.health.evidence }
    const account = await accounts.change(session, before, {
      set: {
        health,
        profile,
        limits,
        handle: profile.handle,
        scopes: [...found.scopes],
        secretGeneration: generation,
        updatedAt: now
      },
      counts
    }, { secretGeneration: before.secretGeneration })
    // Somebody else signed it in meanwhile.
    if (account === undefined) throw duplicate(before, found.probe)
    if (!await vault.replace(session, owner, generation, sealed)) throw duplicate(before, found.probe)
    await cursors.add(session, workspaceId, id, now)
    await jobs.add(
      session, probeAccount, { workspaceId, accountId: id, generation }, { key: `probe:${id}:${generation}` })
    await events.emit(
      session, accountReconnected, { accountId: id, version: account.version },
      { type: 'account', id }, { workspaceId })
    await also(session, account)
    return account
  })
}

function accountOf (
  id: string, { actor, platform, instance }: Place, { probe, scopes }: Found, now: Date
): StoredAccount {
  const { remoteId, kind, profile, counts, limits } = probe
  return {
    id,
    workspaceId: actor.workspaceId,
    platform,
    instance,
    remoteId,
    handle: profile.handle,
    kind,
    label: profile.name.slice(0, 100),
    zone: 'UTC',
    scopes: [...scopes],
    health: { state: 'active', since: now, evidence: [] },
    profile,
    sync: { runId: null, pages: 0, items: 0, state: 'idle' },
    counts: { ...counts, stored: 0 },
    limits,
    ...policies,
    secretGeneration: 1,
    activeRunId: null,
    nextSyncAt: null,
    lastSuccessAt: null,
    version: 1,
    createdAt: now,
    updatedAt: now
  }
}

function duplicate (account: StoredAccount, { profile }: Probe) {
  return SocialError.account_duplicate({ id: account.id, platform: { handles: [account.handle, profile.handle] } })
}
