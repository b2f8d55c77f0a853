import { createHash } from 'node:crypto'
import { uuidv7 } from '../../kernel/index.ts'
import type { Probe } from '../connectors/port.ts'
import { SocialError } from '../errors.ts'
import { accountProfileChanged } from '../events.ts'
import type { StoredAccount } from '../repository/accounts.ts'
import type { StoredProfile } from '../repository/profiles.ts'
import type { Profile } from '../schemas.ts'
import { dayOf } from '../zones.ts'
import { canonical } from './plan.ts'
import type { SyncCollaborators, SyncContext } from './turn.ts'

type Collaborators = Pick<SyncCollaborators, 'accounts' | 'profiles' | 'events' | 'clock'>

const watched = ['name', 'handle', 'bio', 'links', 'avatarUrl'] as const satisfies ReadonlyArray<keyof Profile>

/** Keeps the profile where it or the local day changed, and notes its counts as readings. */
export async function storeProfile (
  collaborators: Collaborators, ctx: Pick<SyncContext, 'checkpoint'>, account: StoredAccount, probe: Probe
): Promise<StoredAccount> {
  const { profiles, clock } = collaborators
  const { workspaceId, id: accountId } = account
  if (probe.remoteId !== account.remoteId) {
    throw SocialError.account_duplicate(
      { id: accountId, platform: { handles: [account.handle, probe.profile.handle] } },
      { detail: 'The token belongs to another account now; nothing was stored.' })
  }
  const before = await profiles.find(workspaceId, accountId)
  const [remoteHash, day] = [hashOf(probe), dayOf(clock.now(), account.zone)]
  const isKnown = before?.remoteHash === remoteHash && before.snapshotDay === day
  const after = isKnown ? account : await save(collaborators, ctx, account, { probe, before, remoteHash, day })
  const readings = Object.entries(probe.counts).map(([metric, value]) => ({ metric, value }))
  await profiles.addPoints({ workspaceId, accountId }, readings, clock.now())
  return after
}

async function save (
  { accounts, profiles, events, clock }: Collaborators, ctx: Pick<SyncContext, 'checkpoint'>, account: StoredAccount,
  { probe: { profile, counts, limits }, before, remoteHash, day }: {
    probe: Probe, before: StoredProfile | undefined, remoteHash: string, day: string
  }
): Promise<StoredAccount> {
  const { workspaceId, id: accountId } = account
  const changed = before === undefined ? [] : changesOf(before, profile)
  return await ctx.checkpoint(async (session) => {
    const now = clock.now()
    await profiles.save(session, { workspaceId, accountId }, { profile, counts, remoteHash, snapshotDay: day, now })
    await profiles.addSnapshot(session, { id: uuidv7(), workspaceId, accountId, day, profile, counts, changed, now })
    const set = { profile, handle: profile.handle, updatedAt: now, ...(limits.length === 0 ? {} : { limits }) }
    const after = await accounts.change(session, account, { set, counts })
    if (changed.length > 0) {
      await events.emit(
        session, accountProfileChanged, { accountId, fields: changed.map(({ field }) => field) },
        { type: 'account', id: accountId }, { workspaceId })
    }
    return after ?? account
  })
}

function changesOf (before: Profile, after: Profile) {
  return watched.filter((field) => canonical(before[field]) !== canonical(after[field]))
    .map((field) => ({ field, from: before[field], to: after[field] }))
}

function hashOf ({ profile, counts }: Probe): string {
  return createHash('sha256').update(canonical([profile, counts])).digest('base64url')
}
