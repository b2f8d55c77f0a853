import type { Clock } from '../../kernel/index.ts'
import type { Page } from '../connectors/port.ts'
import { postsSynced } from '../events.ts'
import type { StoredCursor } from '../repository/cursors.ts'
import { storeAssets } from './assets.ts'
import { planOf, plansOf, type PagePlan } from './plan.ts'
import { progressOf, runOf, syncOf, type SyncCollaborators, type Turn } from './turn.ts'

type Move = Partial<Omit<StoredCursor, 'workspaceId' | 'accountId' | 'version'>>

/** Pages that were read are one transaction: posts, assets, downloads, cursor, account, one event a page (4.4). */
export async function storePages (
  collaborators: SyncCollaborators, turn: Turn, pages: readonly Page[],
  { isBackfill, move }: { isBackfill: boolean, move: (discovered: number) => Move }
): Promise<PagePlan[]> {
  const { posts, cursors, clock } = collaborators
  const { ctx, account: { workspaceId, id: accountId } } = turn
  const bad = pages.flatMap((page) => page.bad)
  turn.pages += pages.length
  turn.limits = pages.at(-1)?.limits ?? []
  const before = turn.items
  const isShowing = isDue(turn, clock)
  const stored = await ctx.checkpoint(async (session) => {
    const now = clock.now()
    const ids = pages.flatMap(({ items }) => items.map(({ remoteId }) => remoteId))
    const known = await posts.findKnown(session, workspaceId, accountId, ids)
    const plans = plansOf(pages.map(({ items }) => items), known, { workspaceId, accountId, now })
    const discovered = plans.reduce((sum, { fresh }) => sum + fresh.length, 0)
    await writePlans(collaborators, turn, session, plans)
    turn.items = before + plans.reduce((sum, { items }) => sum + items.length, 0)
    const cursor = await cursors.move(session, turn.cursor, {
      ...move(discovered), ...quarantineOf(turn.cursor, bad, now), stored: turn.cursor.stored + discovered,
      run: runOf(turn)
    }, now)
    if (cursor === undefined) throw new Error('another run moved the cursor of this account')
    if (isShowing) await noteProgress(collaborators, turn, session, cursor)
    await announce(collaborators, turn, session, plans, isBackfill)
    return { cursor, plans }
  }, progressOf({ ...turn, items: before + pages.reduce((sum, { items }) => sum + items.length, 0) }))
  turn.cursor = stored.cursor
  if (isShowing) turn.shownMs = clock.ms()
  if (bad.length > 0) ctx.log.warn({ accountId, bad }, 'items of a page were refused')
  return stored.plans
}

async function writePlans (
  collaborators: SyncCollaborators, { account }: Turn, session: Session, plans: readonly PagePlan[]
): Promise<void> {
  const { posts } = collaborators
  const fresh = plans.flatMap((plan) => plan.fresh)
  const changed = plans.flatMap((plan) => plan.changed)
  if (fresh.length > 0) await posts.addMany(session, fresh.map(({ post }) => post))
  for (const { post, set } of changed) await posts.change(session, account.workspaceId, post.id, set)
  await storeAssets(collaborators, session, account, { fresh, changed })
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
  { events }: SyncCollaborators, { ctx, account: { workspaceId, id } }: Turn, session: Session,
  plans: readonly PagePlan[], isBackfill: boolean
): Promise<void> {
  const told = plans.filter(({ items }) => items.length > 0)
  await events.emitMany(session, postsSynced, told.map(({ items }) => ({
    data: { accountId: id, syncId: ctx.run.id, isBackfill, items }, subject: { type: 'account', id }
  })), { workspaceId })
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
    await storePages(collaborators, turn, [page], options)
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

function quarantineOf ({ quarantined }: StoredCursor, bad: Page['bad'], at: Date): Partial<StoredCursor> {
  if (bad.length === 0) return {}
  return { quarantined: [...bad.map(({ pointers }) => ({ at, pointers })), ...quarantined].slice(0, 20) }
}
