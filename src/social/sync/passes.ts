import type { Page, PageCursor } from '../connectors/port.ts'
import { postsSynced } from '../events.ts'
import type { KnownPost } from '../repository/posts.ts'
import { comparePage, storePage } from './page.ts'
import { HandOver, isOver, readCounted, type SyncCollaborators, type Turn } from './turn.ts'

interface Walk {
  first: PageCursor
  /** Where the next page begins; undefined at the end. */
  next: (page: Page) => PageCursor | undefined
  /** False ends the pass. */
  store: (page: Page) => Promise<boolean>
}

/** Reads page after page. While one is stored the next one is read already: the platform is most of the time. */
async function walk (collaborators: SyncCollaborators, turn: Turn, { first, next, store }: Walk): Promise<void> {
  const { remoteId, scopes } = turn.account
  const read = async (cursor: PageCursor): Promise<Page> =>
    await readCounted(collaborators, turn, 'posts', async (call) =>
      await turn.connector.readPosts(cursor, { remoteId, scopes }, call))
  let reading = read(first)
  for (;;) {
    const page = await reading
    if (page.items.length + page.bad.length === 0) return
    const following = next(page)
    const ahead = following === undefined ? undefined : read(following)
    // It is judged when its turn comes; until then nobody listens.
    ahead?.catch(() => undefined)
    const goesOn = await store(page)
    if (ahead === undefined || !goesOn) return
    if (isOver(turn, collaborators.clock)) throw new HandOver('the time of this run is over')
    reading = ahead
  }
}

/** Newer posts, upwards from the newest one known. */
export async function readForward (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const { newestId } = turn.cursor
  if (newestId === null) return
  await walk(collaborators, turn, {
    first: { after: newestId },
    next: (page) => page.newestId === null ? undefined : { after: page.newestId },
    store: async (page) => {
      if (page.newestId === turn.cursor.newestId) return false
      const { discovered } = await storePage(collaborators, turn, page, {
        isBackfill: false, move: () => page.newestId === null ? {} : { newestId: page.newestId }
      })
      return discovered > 0 || page.bad.length > 0
    }
  })
}

/** Older posts, from the newest to the oldest, until the policy has enough; goes on where it was interrupted. */
export async function readBackfill (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const { syncPolicy: { backfillPosts, backfillDays } } = turn.account
  const until = backfillDays === undefined ? 0 : collaborators.clock.ms() - backfillDays * 86_400_000
  if (turn.cursor.isBackfillDone && turn.cursor.newestId !== null) return
  let room = Math.max(0, backfillPosts - turn.cursor.backfilled)
  let isDone = false
  await walk(collaborators, turn, {
    first: turn.cursor.oldestId === null ? {} : { before: turn.cursor.oldestId },
    next: (page) => {
      const isPast = page.items.some(({ publishedAt }) => Date.parse(publishedAt) < until)
      isDone = !page.hasOlder || isPast || page.items.length >= room || page.oldestId === turn.cursor.oldestId
      return isDone || page.oldestId === null ? undefined : { before: page.oldestId }
    },
    store: async (page) => {
      const items = page.items.slice(0, room).filter(({ publishedAt }) => Date.parse(publishedAt) >= until)
      room -= items.length
      const { backfilled, newestId, oldestId } = turn.cursor
      const { discovered, known } = await storePage(collaborators, turn, { ...page, items }, {
        isBackfill: true,
        move: (fresh) => ({
          newestId: newestId ?? page.newestId,
          oldestId: page.oldestId ?? oldestId,
          backfilled: backfilled + fresh,
          isBackfillDone: isDone
        })
      })
      return discovered > 0 || known === 0
    }
  })
  if (!turn.cursor.isBackfillDone) await endBackfill(collaborators, turn)
}

async function endBackfill ({ cursors, clock }: SyncCollaborators, turn: Turn): Promise<void> {
  turn.cursor = await turn.ctx.checkpoint(async (session) =>
    await cursors.move(session, turn.cursor, { isBackfillDone: true }, clock.now())) ?? turn.cursor
}

/** Everything once more, from the newest to the end; what is missing from two such reads is gone. */
export async function readFull (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const { cursor: { fullId, newestId }, account: { syncPolicy: { backfillPosts } } } = turn
  const seen = new Set<string>()
  let oldestMs = Infinity
  let isEnd = false
  let isNewer = fullId === null
  await walk(collaborators, turn, {
    first: fullId === null ? {} : { before: fullId },
    next: (page) => {
      for (const { remoteId, publishedAt } of page.items) {
        seen.add(remoteId)
        oldestMs = Math.min(oldestMs, Date.parse(publishedAt))
      }
      isEnd = !page.hasOlder
      return isEnd || seen.size >= backfillPosts || page.oldestId === null ? undefined : { before: page.oldestId }
    },
    store: async (page) => {
      const top = isNewer && turn.pages === 0 ? page.newestId : null
      // Pages above the newest known post are news, as in a forward read.
      if (page.items.some(({ remoteId }) => remoteId === newestId)) isNewer = false
      await comparePage(collaborators, turn, page, {
        isBackfill: !isNewer && !page.items.some(({ remoteId }) => remoteId === newestId),
        move: () => ({ fullId: page.oldestId, ...(top === null ? {} : { newestId: top }) })
      })
      return true
    }
  })
  // A read that began in another run has not seen its upper half.
  if (fullId === null && seen.size > 0) await noteMissing(collaborators, turn, seen, isEnd ? 0 : oldestMs)
}

const apartMs = 600_000

/** Absent once: noted. Absent again ten minutes later: gone, kept, and told. */
async function noteMissing (
  collaborators: SyncCollaborators, turn: Turn, seen: ReadonlySet<string>, oldestMs: number
): Promise<void> {
  const { posts, clock } = collaborators
  const { account: { workspaceId, id: accountId } } = turn
  const live = await posts.findLive(workspaceId, accountId, new Date(oldestMs), new Date(turn.startedMs))
  const absent = live.filter(({ remoteId }) => !seen.has(remoteId))
  const noted = absent.filter(({ missingAt }) => missingAt === null)
  const gone = absent.filter(({ missingAt }) => missingAt !== null && clock.ms() - missingAt.getTime() >= apartMs)
  for (let from = 0; from < noted.length + gone.length; from += 200) {
    await noteSome(collaborators, turn, [...noted, ...gone].slice(from, from + 200))
  }
}

async function noteSome (
  { posts, events, clock }: SyncCollaborators, turn: Turn, absent: readonly KnownPost[]
): Promise<void> {
  const { ctx, account: { workspaceId, id } } = turn
  await ctx.checkpoint(async (session) => {
    const now = clock.now()
    for (const { id: postId, missingAt } of absent) {
      await posts.change(
        session, workspaceId, postId, missingAt === null ? { missingAt: now } : { goneAt: now, updatedAt: now })
    }
    const items = absent.filter(({ missingAt }) => missingAt !== null)
      .map(({ id: postId }) => ({ postId, change: 'gone' as const }))
    if (items.length === 0) return
    turn.items += items.length
    await events.emit(
      session, postsSynced, { accountId: id, syncId: ctx.run.id, isBackfill: false, items },
      { type: 'account', id }, { workspaceId })
  })
}
