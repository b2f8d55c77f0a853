import type { Mail } from '../kernel/index.ts'
import type { Item } from './repository/index.ts'
import type { CapturedMail, InboxItem } from './schemas.ts'

export function presentItem (item: Item): InboxItem {
  const { id, workspaceId, category, title, body, link, seenAt, readAt, archivedAt, createdAt } = item
  return {
    id, workspaceId, category, title, body, link,
    seenAt: seenAt?.toISOString() ?? null,
    readAt: readAt?.toISOString() ?? null,
    archivedAt: archivedAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString()
  }
}

export function presentCapturedMail ({ messageId, to, subject, text, html, at }: Mail & { at: Date }): CapturedMail {
  return { id: messageId, to, subject, text, html: html ?? null, at: at.toISOString() }
}
