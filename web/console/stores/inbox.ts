import { signal } from '@preact/signals'
import { post } from '../api.ts'
import { follow, type Pub } from '../live.ts'
import { createList } from './list.ts'
import type { InboxItem } from './shapes.ts'

const list = createList<InboxItem>({
  path: '/v1/notifications/inbox', idOf: ({ id }) => id, compare: (a, b) => a.id < b.id ? 1 : -1
})

interface Counters { unseen: number, unread: number }

/** The inbox of the person, and how much of it is unread. */
export const inbox = { ...list, unread: signal(0) }

function count ({ unread }: Counters): void {
  inbox.unread.value = unread
}

async function load () {
  const page = await list.load({ keeps: true })
  if (page !== undefined) count(page as unknown as Counters)
  return page
}

export function openInbox (userId: string): () => void {
  return follow(`notifications.inbox:${userId}`, {
    getState: load,
    onPub ({ d }: Pub) {
      const { item, ...counters } = d as unknown as Counters & { item?: InboxItem & { archivedAt: string | null } }
      count(counters)
      if (item === undefined) void load()
      else if (item.archivedAt === null) list.put([item])
      else list.drop(item.id)
    }
  })
}

export async function actOn (item: InboxItem, action: 'read' | 'unread' | 'archive'): Promise<void> {
  count(await post<Counters>(`/v1/notifications/inbox/${item.id}/${action}`))
  if (action === 'archive') list.drop(item.id)
  else list.change(item.id, (one) => ({ ...one, readAt: action === 'read' ? new Date().toISOString() : null }))
}

export async function readAll (): Promise<void> {
  count(await post<Counters>('/v1/notifications/inbox/read-all'))
  await load()
}
