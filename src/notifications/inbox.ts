import {
  uuidv7,
  type Actor, type Clock, type DomainEvent, type EventBus, type Live, type ReplayItem, type Session,
  type Tx
} from '../kernel/index.ts'
import type { Static } from 'typebox'
import { NotificationsError } from './errors.ts'
import { inboxChanged } from './events.ts'
import { presentItem } from './present.ts'
import type { Counters, InboxQuery, InboxRepository, Item, ItemMarks } from './repository/index.ts'
import type { InboxCounters, itemActions } from './schemas.ts'
import { InboxTopic } from './topics.ts'

interface Collaborators {
  inbox: InboxRepository
  events: EventBus
  live: Live
  tx: Tx
  clock: Clock
}

export type NewItem = Pick<Item, 'userId' | 'workspaceId' | 'runId' | 'category' | 'title' | 'body' | 'link'>
export type ItemAction = typeof itemActions[number]
type Change = Static<typeof inboxChanged['data']>

/** The in-app inbox: every change is one number, one event and one publication. */
export function createInbox ({ inbox, events, live, tx, clock }: Collaborators) {
  async function tell (
    session: Session, userId: string, kind: Change['kind'], itemId: string | null, { seq, unseen, unread }: Counters
  ) {
    // An inbox belongs to the person, whatever workspace an item came from.
    await events.emit(session, inboxChanged, { userId, kind, itemId, unseen, unread },
      { type: 'inbox', id: userId, version: seq }, { workspaceId: '' })
  }

  async function change (userId: string, id: string, action: ItemAction): Promise<InboxCounters> {
    return await tx(async (session) => {
      const item = await inbox.read(session, userId, id)
      if (item === undefined) throw NotificationsError.item_not_found({ id })
      const marks = marksOf(item, action, clock.now())
      if (marks === undefined) return await inbox.counters(userId)
      const counters = await inbox.count(session, userId, difference(item, { ...item, ...marks }))
      await inbox.mark(session, userId, id, { ...marks, seq: counters.seq })
      await tell(session, userId, 'item-changed', id, counters)
      return counters
    })
  }

  async function markUpTo (userId: string, upTo: string | undefined, isRead: boolean): Promise<InboxCounters> {
    return await tx(async (session) => {
      const at = clock.now()
      const before = await inbox.markUpTo(session, userId, upTo, { seenAt: at, ...(isRead ? { readAt: at } : {}) })
      if (before.unseen === 0 && before.unread === 0) return await inbox.counters(userId)
      const counters = await inbox.count(session, userId, { unseen: -before.unseen, unread: -before.unread })
      await tell(session, userId, 'counters', null, counters)
      return counters
    })
  }

  return {
    /** In the caller's transaction: item, counters and event. */
    async add (session: Session, fresh: NewItem): Promise<void> {
      const now = clock.now()
      const counters = await inbox.count(session, fresh.userId, { unseen: 1, unread: 1 })
      const id = uuidv7(now.getTime())
      await inbox.add(session, {
        ...fresh, id, seq: counters.seq, seenAt: null, readAt: null, archivedAt: null, createdAt: now
      })
      await tell(session, fresh.userId, 'item-added', id, counters)
    },

    /** Items with the counters and the position from which the topic goes on; one more than `limit`. */
    async list (actor: Actor, query: InboxQuery) {
      const userId = personOf(actor)
      return await live.withPosition(InboxTopic, { userId }, async () => {
        const [{ unseen, unread }, rows] = await Promise.all([inbox.counters(userId), inbox.list(userId, query)])
        return { rows, unseen, unread }
      })
    },

    act: async (actor: Actor, id: string, action: ItemAction) => shown(await change(personOf(actor), id, action)),
    seen: async (actor: Actor, upTo?: string) => shown(await markUpTo(personOf(actor), upTo, false)),
    readAll: async (actor: Actor, upTo?: string) => shown(await markUpTo(personOf(actor), upTo, true)),

    /** Publishes one change; harmless to repeat. */
    async publish (event: DomainEvent<Change>): Promise<void> {
      const { userId } = event.data
      const [item] = await toItems(userId, [event])
      if (item === undefined) return
      const { offset, kind, data, mid } = item
      await live.publish(InboxTopic, { userId }, { offset, kind, data, mid })
    },

    async replay (userId: string, from: number, limit: number): Promise<ReplayItem[]> {
      const found = await events.replay({
        workspaceId: '', type: inboxChanged.name, subject: { type: 'inbox', id: userId }, fromVersion: from, limit
      })
      return await toItems(userId, found as Array<DomainEvent<Change>>)
    }
  }

  /** An item that is gone by now leaves its place to the counters: the numbers stay without a gap. */
  async function toItems (userId: string, changes: ReadonlyArray<DomainEvent<Change>>): Promise<ReplayItem[]> {
    const ids = changes.flatMap(({ data: { itemId } }) => itemId === null ? [] : [itemId])
    const items = new Map((await inbox.findMany(userId, ids)).map((item) => [item.id, item]))
    return changes.map(({ id: mid, at, subject, data: { kind, itemId, unseen, unread } }) => {
      const item = itemId === null ? undefined : items.get(itemId)
      const place = { offset: subject.version ?? 0, mid, at }
      return item === undefined
        ? { ...place, kind: 'counters', data: { unseen, unread } }
        : { ...place, kind, data: { item: presentItem(item), unseen, unread } }
    })
  }
}

function marksOf (item: Item, action: ItemAction, at: Date): ItemMarks | undefined {
  if (action === 'unread') return item.readAt === null ? undefined : { readAt: null }
  if (action === 'archive') return item.archivedAt === null ? { archivedAt: at, seenAt: item.seenAt ?? at } : undefined
  return item.readAt === null ? { readAt: at, seenAt: item.seenAt ?? at } : undefined
}

function difference (before: Item, after: Item): { unseen: number, unread: number } {
  return { unseen: unseenOf(after) - unseenOf(before), unread: unreadOf(after) - unreadOf(before) }
}

const unseenOf = ({ seenAt, archivedAt }: Item): number => seenAt === null && archivedAt === null ? 1 : 0
const unreadOf = ({ readAt, archivedAt }: Item): number => readAt === null && archivedAt === null ? 1 : 0

function shown ({ unseen, unread }: InboxCounters): InboxCounters {
  return { unseen, unread }
}

function personOf ({ userId }: Actor): string {
  if (userId === null) throw NotificationsError.item_not_found()
  return userId
}
