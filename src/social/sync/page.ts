import type { Clock } from '../../kernel/index.ts'
import type { Page } from '../connectors/port.ts'
import { postsSynced } from '../events.ts'
import type { StoredCursor } from '../repository/cursors.ts'
import { storeAssets } from './assets.ts'
import { planOf, type PagePlan } from './plan.ts'
import { progressOf, runOf, syncOf, type SyncCollaborators, type Turn } from './turn.ts'

type Move = Partial<Omit<StoredCursor, 'workspaceId' | 'accountId' | 'version'>>

export interface Stored { discovered: number, known: number }

/** A page is a transaction: posts, assets, downloads, cursor, account and one event commit together (4.4). */
export async function storePage (
  collaborators: SyncCollaborators, turn: Turn, page: Page,
  { isBackfill, move }: { isBackfill: boolean, move: (discovered: number) => Move }
): Promise<Stored> {
  const { posts, cursors, clock } = collaborators
  const { ctx, account: { workspaceId, id: accountId } } = turn
  const remoteIds = page.items.map(({ remoteId }) => remoteId)
  turn.pages++
  turn.limits = page.limits
  const before = turn.items
  const isShowing = isDue(turn, clock)
  const stored = await ctx.checkpoint(async (session) => {
    const now = clock.now()
    const known = await posts.findKnown(session, workspaceId, accountId, remoteIds)
    const plan = planOf(page.items, known, { workspaceId, accountId, now })
    if (plan.fresh.length > 0) await posts.addMany(session, plan.fresh.map(({ post }) => post))
    for (const { id, set } of plan.changed) await posts.change(session, workspaceId, id, set)
    await storeAssets(collaborators, session, turn.account, plan)
    const quarantined = quarantineOf(turn.cursor, page, now)
    turn.items = before + plan.items.length
    const stored = turn.cursor.stored + plan.fresh.length
    const cursor = await cursors.move(
      session, turn.cursor, { ...move(plan.fresh.length), ...quarantined, stored, run: runOf(turn) }, now)
    if (cursor === undefined) throw new Error('another run moved the cursor of this account')
    if (isShowing) await noteProgress(collaborators, turn, session, cursor)
    await announce(collaborators, turn, session, plan, isBackfill)
    return { cursor, discovered: plan.fresh.length, known: known.size }
  }, progressOf({ ...turn, items: before + page.items.length }))
  turn.cursor = stored.cursor
  if (isShowing) turn.shownMs = clock.ms()
  if (page.bad.length > 0) ctx.log.warn({ accountId, bad: page.bad }, 'items of a page were refused')
  return stored
}

type Session = Parameters<SyncCollaborators['posts']['addMany']>[0]

const shownEveryMs = 400

/** The account is what people watch, at most twice a second: between, the cursor alone keeps the count. */
function isDue ({ shownMs }: Turn, clock: Clock): boolean {
  return clock.ms() - shownMs >= shownEveryMs
}

async function noteProgress (
  { accounts, clock }: SyncCollaborators, turn: Turn, session: Session, { stored }: StoredCursor
): Promise<void> {
  const set = {
    sync: syncOf(turn, 'running'), updatedAt: clock.now(), ...(turn.limits.length === 0 ? {} : { limits: turn.limits })
  }
  await accounts.change(session, turn.account, { set, counts: { stored } })
}

async function announce (
  { events }: SyncCollaborators, { ctx, account: { workspaceId, id } }: Turn, session: Session, plan: PagePlan,
  isBackfill: boolean
): Promise<void> {
  if (plan.items.length === 0) return
  await events.emit(
    session, postsSynced, { accountId: id, syncId: ctx.run.id, isBackfill, items: plan.items },
    { type: 'account', id }, { workspaceId })
}

/** A page of a full re-read: what shows no change costs no write. */
export async function comparePage (
  collaborators: SyncCollaborators, turn: Turn, page: Page,
  options: { isBackfill: boolean, move: (discovered: number) => Move }
): Promise<void> {
  const { posts, clock } = collaborators
  const { account: { workspaceId, id: accountId } } = turn
  const known = await posts.findKnown(undefined, workspaceId, accountId, page.items.map(({ remoteId }) => remoteId))
  const plan = planOf(page.items, known, { workspaceId, accountId, now: clock.now() })
  if (plan.items.length > 0 || page.bad.length > 0) {
    await storePage(collaborators, turn, page, options)
    return
  }
  turn.pages++
  turn.limits = page.limits
  await showProgress(collaborators, turn, options.move(0))
}

/** Where nothing else is written, the place and the count of pages are, at most twice a second. */
async function showProgress (collaborators: SyncCollaborators, turn: Turn, move: Move): Promise<void> {
  const { clock, cursors } = collaborators
  turn.ctx.progress(progressOf(turn))
  if (!isDue(turn, clock)) return
  turn.shownMs = clock.ms()
  turn.cursor = await turn.ctx.checkpoint(async (session) => {
    const cursor = await cursors.move(session, turn.cursor, { ...move, run: runOf(turn) }, clock.now())
    if (cursor === undefined) throw new Error('another run moved the cursor of this account')
    await noteProgress(collaborators, turn, session, cursor)
    return cursor
  })
}

function quarantineOf ({ quarantined }: StoredCursor, { bad }: Page, at: Date): Partial<StoredCursor> {
  if (bad.length === 0) return {}
  return { quarantined: [...bad.map(({ pointers }) => ({ at, pointers })), ...quarantined].slice(0, 20) }
}
