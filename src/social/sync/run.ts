import { SocialError } from '../errors.ts'
import { changeHealth } from '../health.ts'
import { connectorOf } from '../connections.ts'
import { syncAccount } from '../jobs.ts'
import type { StoredAccount } from '../repository/accounts.ts'
import type { StoredCursor } from '../repository/cursors.ts'
import { readBackfill, readForward, readFull } from './passes.ts'
import { storeProfile } from './profile.ts'
import { nextSlot } from './slots.ts'
import {
  HandOver, SignInNeeded, readCounted, syncOf, type SyncCollaborators, type SyncContext, type Turn
} from './turn.ts'

/** One reading run of an account: profile, newer posts, older posts; or everything once more. */
export async function runSync (collaborators: SyncCollaborators, ctx: SyncContext): Promise<void> {
  const { workspaceId, accountId, isFull = false } = ctx.run.data
  const account = await collaborators.accounts.find(workspaceId, accountId)
  const cursor = await collaborators.cursors.find(workspaceId, accountId)
  // An account that needs sign-in rests, without a successor, until it is connected again.
  if (account === undefined || cursor === undefined || account.health.state !== 'active') return
  const turn = await begin(collaborators, ctx, account, cursor)
  try {
    await readProfile(collaborators, turn)
    if (isFull) await readFull(collaborators, turn)
    else {
      await readForward(collaborators, turn)
      await readBackfill(collaborators, turn)
    }
    await end(collaborators, turn)
  } catch (error) {
    if (error instanceof HandOver) await handOver(collaborators, turn)
    else if (error instanceof SignInNeeded) await stop(collaborators, turn, error)
    else throw error
  }
}

/** The next run of the rhythm is written before the first request: whatever happens to this one, it comes. */
async function begin (
  {
    accounts, connectors, jobs, clock
  }: SyncCollaborators, ctx: SyncContext, account: StoredAccount, cursor: StoredCursor
): Promise<Turn> {
  const { workspaceId, id: accountId } = account
  const slot = nextSlot(accountId, account.syncPolicy.everyMinutes, clock.ms())
  const after = await ctx.checkpoint(async (session) => {
    await jobs.add(session, syncAccount, { workspaceId, accountId, reason: 'rhythm' }, {
      key: `sync:${accountId}:${slot.toISOString()}`, runAt: slot
    })
    const set = { activeRunId: ctx.run.id, nextSyncAt: slot, updatedAt: clock.now() }
    return await accounts.change(session, account, { set })
  })
  if (after === undefined) throw SocialError.account_not_found({ id: accountId })
  // A run that starts again, or takes over, counts on; a new full read begins at the newest post.
  const goesOn = ctx.run.data.reason === 'handover' || cursor.run?.id === ctx.run.id
  const done = goesOn && cursor.run !== null ? cursor.run : { pages: 0, items: 0 }
  return {
    ctx,
    account: after,
    cursor: goesOn ? cursor : { ...cursor, fullId: null },
    connector: connectorOf(connectors, account.platform),
    startedMs: clock.ms(),
    requests: 0,
    pages: done.pages,
    items: done.items,
    limits: after.limits,
    shownMs: 0
  }
}

async function readProfile (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const probe = await readCounted(collaborators, turn, 'profile', async (call) => await turn.connector.probe(call))
  turn.account = await storeProfile(collaborators, turn.ctx, turn.account, probe)
}

async function end ({ accounts, cursors, clock }: SyncCollaborators, turn: Turn): Promise<void> {
  const { ctx, account, cursor } = turn
  await ctx.commit(async (session) => {
    const now = clock.now()
    if (ctx.run.data.isFull === true) await cursors.move(session, cursor, { fullId: null }, now)
    await accounts.change(session, account, {
      set: {
        sync: syncOf(turn, 'done'), activeRunId: null, lastSuccessAt: now, updatedAt: now,
        ...(turn.limits.length === 0 ? {} : { limits: turn.limits })
      },
      counts: { stored: cursor.stored }
    })
  })
}

/** Ends this run and adds the one that goes on at the cursor. */
async function handOver ({ accounts, jobs, clock }: SyncCollaborators, turn: Turn): Promise<void> {
  const { ctx, account } = turn
  const { workspaceId, accountId, isFull } = ctx.run.data
  await ctx.commit(async (session) => {
    const { id } = await jobs.add(session, syncAccount, {
      workspaceId, accountId, reason: 'handover', ...(isFull === undefined ? {} : { isFull })
    }, { key: `handover:${ctx.run.id}` })
    const set = { sync: { ...syncOf(turn, 'running'), runId: id }, activeRunId: id, updatedAt: clock.now() }
    await accounts.change(session, account, { set, counts: { stored: turn.cursor.stored } })
  })
}

async function stop (collaborators: SyncCollaborators, turn: Turn, { evidence }: SignInNeeded): Promise<void> {
  await turn.ctx.commit(async (session) => {
    await changeHealth(collaborators, session, turn.account, {
      from: 'active',
      to: 'needs_reauth',
      evidence,
      also: { sync: syncOf(turn, 'failed'), activeRunId: null, nextSyncAt: null }
    })
  })
}
