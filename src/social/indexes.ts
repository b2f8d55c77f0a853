import type { CollectionDefinition } from '../kernel/index.ts'

const day = 86_400

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'social.accounts',
    indexes: [
      { name: 'remote', keys: { workspaceId: 1, platform: 1, instance: 1, remoteId: 1 }, unique: true },
      { name: 'health', keys: { workspaceId: 1, 'health.state': 1, platform: 1 } },
      { name: 'list', keys: { workspaceId: 1, _id: 1 } },
      { name: 'updated', keys: { updatedAt: 1 } }
    ]
  },
  { name: 'social.secrets', indexes: [{ name: 'due', keys: { state: 1, refreshDueAt: 1 } }] },
  { name: 'social.instances', indexes: [] },
  {
    name: 'social.connections',
    indexes: [
      { name: 'state', keys: { stateHash: 1 }, unique: true },
      // A sign-in that nobody finished in 15 minutes is over.
      { name: 'ttl', keys: { expiresAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  { name: 'social.cursors', indexes: [] },
  { name: 'social.profiles', indexes: [] },
  {
    name: 'social.snapshots',
    indexes: [
      { name: 'day', keys: { workspaceId: 1, accountId: 1, day: 1 }, unique: true },
      // Two years of days and a margin: a comparison with the year before stays possible.
      { name: 'ttl', keys: { createdAt: 1 }, expireAfterSeconds: 800 * day }
    ]
  },
  {
    name: 'social.points',
    options: {
      timeseries: { timeField: 'at', metaField: 'meta', granularity: 'minutes' },
      // As the snapshots.
      expireAfterSeconds: 800 * day
    },
    indexes: []
  },
  {
    name: 'social.posts',
    indexes: [
      { name: 'remote', keys: { workspaceId: 1, accountId: 1, remoteId: 1 }, unique: true },
      { name: 'published', keys: { workspaceId: 1, accountId: 1, publishedAt: 1, _id: 1 } },
      { name: 'tags', keys: { workspaceId: 1, tags: 1, publishedAt: 1 } },
      {
        // The override names a field that no post has: MongoDB would read `language` as the name of a stemmer.
        name: 'text',
        keys: { workspaceId: 1, text: 'text' },
        default_language: 'none',
        language_override: 'textIndexLanguage'
      }
    ]
  },
  {
    name: 'social.assets',
    indexes: [
      { name: 'post', keys: { postId: 1, position: 1 }, unique: true },
      { name: 'list', keys: { workspaceId: 1, accountId: 1, _id: 1 } },
      { name: 'download', keys: { downloadId: 1 } },
      { name: 'file', keys: { fileId: 1 } },
      { name: 'state', keys: { state: 1, updatedAt: 1 } }
    ]
  }
]
