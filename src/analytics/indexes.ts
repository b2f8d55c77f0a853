import type { CollectionDefinition } from '../kernel/index.ts'

const clustered = { clusteredIndex: { key: { _id: 1 }, unique: true } }

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'analytics.events',
    options: clustered,
    indexes: [
      { name: 'actor', keys: { w: 1, a: 1, _id: 1 }, partialFilterExpression: { a: { $exists: true } } }
    ]
  },
  { name: 'analytics.batches', indexes: [{ name: 'ready', keys: { partition: 1, state: 1, _id: 1 } }] },
  { name: 'analytics.partitions', indexes: [] },
  {
    name: 'analytics.rollups',
    options: clustered,
    // Only the minute tier carries expireAt: it serves alerts and live charts and is of no use after two days.
    indexes: [{ name: 'expiry', keys: { expireAt: 1 }, expireAfterSeconds: 0 }]
  },
  {
    name: 'analytics.names',
    indexes: [
      { name: 'name', keys: { workspaceId: 1, name: 1 }, unique: true },
      { name: 'last', keys: { lastAt: 1 } }
    ]
  },
  {
    name: 'analytics.alerts',
    indexes: [
      { name: 'enabled', keys: { partition: 1, isEnabled: 1 } },
      { name: 'workspace', keys: { workspaceId: 1, _id: 1 } }
    ]
  },
  {
    name: 'analytics.alert_instances',
    indexes: [{ name: 'instance', keys: { ruleId: 1, fingerprint: 1 }, unique: true }]
  }
]
