import type { Clock, EventBus, Session } from '../kernel/index.ts'
import { accountHealthChanged } from './events.ts'
import type { AccountRepository, StoredAccount } from './repository/accounts.ts'
import type { AccountHealth, Evidence, HealthState } from './schemas.ts'

interface Collaborators { accounts: AccountRepository, events: EventBus, clock: Clock }

export interface Transition {
  from: HealthState
  to: HealthState
  evidence?: Evidence
  also?: Parameters<AccountRepository['change']>[2]['set']
}

/** Compare-and-set on the state before, with one event; undefined where somebody was faster (`social.md` 4.9). */
export async function changeHealth (
  { accounts, events, clock }: Collaborators, session: Session, account: StoredAccount,
  { from, to, evidence, also = {} }: Transition
): Promise<StoredAccount | undefined> {
  const now = clock.now()
  const { workspaceId, id } = account
  const kept = evidence === undefined ? account.health.evidence : [evidence, ...account.health.evidence].slice(0, 10)
  const set = { ...also, health: { state: to, since: now, evidence: kept }, updatedAt: now }
  const after = await accounts.change(session, account, { set }, { healthState: from })
  if (after === undefined) return undefined
  await events.emit(
    session, accountHealthChanged, { accountId: id, version: after.version, from, to },
    { type: 'account', id }, { workspaceId })
  return after
}

const texts: Record<HealthState, string | null> = {
  active: null,
  needs_reauth: 'Sign in to the account again; posts and history stay.',
  disconnected: 'Connect the account again to go on.'
}

/** What a person does about it. */
export function fixOf (state: HealthState): AccountHealth['fix'] {
  const text = texts[state]
  return text === null ? null : { key: state === 'needs_reauth' ? 'reconnect' : 'connect', text }
}
