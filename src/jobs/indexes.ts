import type { CollectionDefinition } from '../kernel/index.ts'

const pending = { state: 'pending' }

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'jobs.runs',
    indexes: [
      { name: 'waiting', keys: { queue: 1, lane: 1, heldBy: 1, runAt: 1, _id: 1 }, partialFilterExpression: pending },
      { name: 'next', keys: { runAt: 1 }, partialFilterExpression: pending },
      {
        name: 'key', keys: {
          workspaceId: 1, name: 1, key: 1
        }, unique: true, partialFilterExpression: { key: { $exists: true } }
      },
      {
        name: 'dedupe',
        keys: { workspaceId: 1, name: 1, 'dedupe.key': 1 },
        unique: true,
        partialFilterExpression: { 'dedupe.isActive': true }
      },
      {
        name: 'dedupe_until', keys: { 'dedupe.until': 1 }, partialFilterExpression: { 'dedupe.isActive': true }
      },
      {
        name: 'serial_live',
        keys: { workspaceId: 1, serial: 1 },
        unique: true,
        partialFilterExpression: { isLive: true, serial: { $exists: true } }
      },
      {
        name: 'serial_waiting',
        keys: { workspaceId: 1, serial: 1, seq: 1 },
        partialFilterExpression: { state: 'pending', serial: { $exists: true } }
      },
      { name: 'live', keys: { queue: 1, publishedAt: 1 }, partialFilterExpression: { isLive: true } },
      { name: 'worker', keys: { worker: 1 }, partialFilterExpression: { state: 'running' } },
      { name: 'target', keys: { target: 1 }, partialFilterExpression: { state: 'pending', target: { $exists: true } } },
      { name: 'created', keys: { workspaceId: 1, createdAt: 1 } },
      { name: 'cause', keys: { 'cause.id': 1 }, partialFilterExpression: { 'cause.id': { $exists: true } } },
      // Set when a run ends: done 7 days, cancelled and expired 30. Dead runs stay until their letter is closed.
      { name: 'expire', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  {
    name: 'jobs.letters',
    indexes: [
      { name: 'fingerprint', keys: { state: 1, fingerprint: 1 } },
      { name: 'failed', keys: { workspaceId: 1, failedAt: 1 } },
      // What every worker asks for: runs of these start solo.
      { name: 'poison', keys: { class: 1, state: 1, failedAt: -1 }, partialFilterExpression: { class: 'poison' } }
    ]
  },
  {
    name: 'jobs.events',
    indexes: [
      {
        name: 'subject',
        keys: { workspaceId: 1, 'subject.type': 1, 'subject.id': 1, 'subject.version': 1 },
        unique: true,
        partialFilterExpression: { 'subject.version': { $exists: true } }
      },
      { name: 'type', keys: { workspaceId: 1, type: 1, _id: 1 } },
      // Each type says how long its log is kept; types kept for ever have no such time.
      { name: 'expire', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  {
    name: 'jobs.workers',
    // A worker says every 3 seconds that it lives.
    indexes: [{ name: 'seen', keys: { seenAt: 1 }, expireAfterSeconds: 30 }]
  },
  { name: 'jobs.leases', indexes: [] },
  { name: 'jobs.resources', indexes: [] }
]
