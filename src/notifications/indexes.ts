import type { CollectionDefinition } from '../kernel/index.ts'

const day = 86_400

// History of what was sent and why: 90 days.
const history = (field: string) => ({
  name: `${field}_ttl`, keys: { [field]: 1 as const }, expireAfterSeconds: 90 * day
})

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'notifications.triggers',
    indexes: [
      { name: 'workflow_eventId', keys: { workflow: 1, eventId: 1 }, unique: true },
      history('createdAt')
    ]
  },
  {
    name: 'notifications.runs',
    indexes: [
      { name: 'workflow_eventId_recipientId', keys: { workflow: 1, eventId: 1, recipientId: 1 }, unique: true },
      history('createdAt')
    ]
  },
  {
    name: 'notifications.messages',
    indexes: [
      {
        name: 'runId_step_channel_targetHash',
        keys: { runId: 1, step: 1, channel: 1, targetHash: 1 },
        unique: true
      },
      history('createdAt')
    ]
  },
  {
    name: 'notifications.attempts',
    indexes: [{ name: 'messageId_n', keys: { messageId: 1, n: 1 }, unique: true }, history('startedAt')]
  },
  {
    name: 'notifications.inbox_items',
    indexes: [
      { name: 'userId', keys: { userId: 1, _id: 1 } },
      { name: 'userId_archivedAt_readAt', keys: { userId: 1, archivedAt: 1, readAt: 1 } },
      // An inbox is news, not an archive: 180 days.
      { name: 'createdAt_ttl', keys: { createdAt: 1 }, expireAfterSeconds: 180 * day }
    ]
  },
  { name: 'notifications.inbox_counters', indexes: [] },
  { name: 'notifications.captured_mails', indexes: [{ name: 'at', keys: { at: 1 } }] }
]
