import type { Page, PageCursor } from '../connectors/port.ts'
import { postsSynced } from '../events.ts'
import type { KnownPost } from '../repository/posts.ts'
import { comparePage, storePages } from './page.ts'
import { HandOver, isOver, readCounted, type SyncCollaborators, type Turn } from './turn.ts'

interface Walk {
  first: PageCursor
  /** Where the next page begins, asked as each page comes; undefined at the end. */
  next: (page: Page) => PageCursor | undefined
  /** So many pages may be stored together. */
  most: number
  /** `isLast`: the last of them ends the pass. False ends it, too. */
  store: (pages: readonly Page[], isLast: boolean) => Promise<boolean>
}

/**
 * Reads page after page. While some are stored the next ones are read already, and what is there by then is stored
 * together: as long as the store is the slower one, its commits are most of the time.
 */
async function walk (collaborators: SyncCollaborators, turn: Turn, way: Walk): Promise<void> {
  const { remoteId, scopes } = turn.account
  const ahead = readAhead(way, async (cursor) =>
    await readCounted(collaborators, turn, 'posts', async (call) =>
      await turn.connector.readPosts(cursor, { remoteId, scopes }, call)))
  try {
    for (;;) {
      const { pages, isLast } = await ahead.take()
      if (pages.length === 0) return
      const goesOn = await way.store(pages, isLast)
      if (isLast || !goesOn) return
      if (isOver(turn, collaborators.clock)) throw new HandOver('the time of this run is over')
    }
  } finally {
    ahead.stop()
  }
}

/** Reads on until `most` pages wait to be taken. */
function readAhead ({ first, next, most }: Walk, read: (cursor: PageCursor) => Promise<Page>) {
  let ready: Page[] = []
  let cursor: PageCursor | undefined = first
  let failure: { error: unknown } | undefined
  let reading: Promise<void> | undefined

  async function readOne (at: PageCursor): Promise<void> {
    try {
      const page = await read(at)
      const isEmpty = page.items.length + page.bad.length === 0
      // Stopped meanwhile: nobody asks for it any more.
      if (cursor === undefined) return
      cursor = isEmpty ? undefined : next(page)
      if (!isEmpty) ready.push(page)
    } catch (error) {
      // It is judged when its turn comes.
      failure = { error }
    } finally {
      reading = undefined
      readOn()
    }
  }

  function readOn (): void {
    if (reading === undefined && cursor !== undefined && failure === undefined && ready.length < most) {
      reading = readOne(cursor)
    }
  }

  return {
    /** What was read, at least one page; none at the end. */
    async take (): Promise<{ pages: Page[], isLast: boolean }> {
      readOn()
      while (ready.length === 0 && reading !== undefined) await reading
      if (ready.length === 0 && failure !== undefined) throw failure.error
      const pages = ready
      ready = []
      readOn()
      return { pages, isLast: cursor === undefined }
    },
    stop () { cursor = undefined }
  }
}

/** Newer posts, upwards from the newest one known. */
export async function readForward (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const { newestId } = turn.cursor
  if (newestId === null) return
  await walk(collaborators, turn, {
    first: { after: newestId },
    next: (page) => page.newestId === null ? undefined : { after: page.newestId },
    most: 1,
    store: async (pages) => {
      const [page] = pages as [Page]
      if (page.newestId === turn.cursor.newestId) return false
      const [stored] = await storePages(collaborators, turn, pages, {
        isBackfill: false, move: () => page.newestId === null ? {} : { newestId: page.newestId }
      })
      return (stored?.fresh.length ?? 0) > 0 || page.bad.length > 0
    }
  })
}

/** What a crash in the middle repeats: so many pages at work, and as many read already. */
const mostTogether = 3

/** Older posts, from the newest to the oldest, until the policy has enough; goes on where it was interrupted. */
export async function readBackfill (collaborators: SyncCollaborators, turn: Turn): Promise<void> {
  const { syncPolicy: { backfillPosts, backfillDays } } = turn.account
  const until = backfillDays === undefined ? 0 : collaborators.clock.ms() - backfillDays * 86_400_000
  if (turn.cursor.isBackfillDone && turn.cursor.newestId !== null) return
  let room = Math.max(0, backfillPosts - turn.cursor.backfilled)
  let { oldestId: lastId } = turn.cursor
  await walk(collaborators, turn, {
    first: lastId === null ? {} : { before: lastId },
    next: (page) => {
      const wanted = page.items.slice(0, room).filter(({ publishedAt }) => Date.parse(publishedAt) >= until)
      const isDone = !page.hasOlder || wanted.length < page.items.length || wanted.length === room ||
        page.oldestId === lastId || page.oldestId === null
      page.items = wanted
      room -= wanted.length
      lastId = page.oldestId
      return isDone || lastId === null ? undefined : { before: lastId }
    },
    most: mostTogether,
    store: async (pages, isLast) => {
      const { backfilled, newestId, oldestId } = turn.cursor
      const [first, last] = [pages[0], pages.at(-1)] as [Page, Page]
      const stored = await storePages(collaborators, turn, pages, {
        isBackfill: true,
        move: (fresh) => ({
          newestId: newestId ?? first.newestId,
          oldestId: last.oldestId ?? oldestId,
          backfilled: backfilled + fresh,
          isBackfillDone: isLast
        })
      })
      return stored.every(({ fresh, known }) => fresh.length > 0 || known === 0)
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
    most: 1,
    store: async ([page]) => {
      if (page === undefined) return false
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
