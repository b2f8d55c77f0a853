import type { CollectionDefinition } from '../kernel/index.ts'

const day = 86_400

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'identity.users',
    indexes: [
      { name: 'emailKey', keys: { emailKey: 1 }, unique: true },
      { name: 'pvChangedAt', keys: { pvChangedAt: 1 } }
    ]
  },
  { name: 'identity.credentials', indexes: [] },
  {
    name: 'identity.sessions',
    indexes: [
      { name: 'userId_createdAt', keys: { userId: 1, createdAt: 1 } },
      { name: 'revokedAt', keys: { revokedAt: 1 } },
      // A session lives 60 days at most; the rest is for the person who looks back.
      { name: 'createdAt_ttl', keys: { createdAt: 1 }, expireAfterSeconds: 90 * day }
    ]
  },
  {
    name: 'identity.flows',
    indexes: [
      { name: 'emailKey_createdAt', keys: { emailKey: 1, createdAt: 1 } },
      // Nothing follows from an expired flow.
      { name: 'expiresAt_ttl', keys: { expiresAt: 1 }, expireAfterSeconds: 0 }
    ]
  },
  { name: 'identity.workspaces', indexes: [{ name: 'slug', keys: { slug: 1 }, unique: true }] },
  {
    name: 'identity.members',
    indexes: [
      { name: 'workspaceId_userId', keys: { workspaceId: 1, userId: 1 }, unique: true },
      { name: 'userId', keys: { userId: 1 } },
      { name: 'workspaceId_joinedAt', keys: { workspaceId: 1, joinedAt: 1, _id: 1 } }
    ]
  },
  { name: 'identity.data_keys', indexes: [] },
  { name: 'identity.signing_keys', indexes: [{ name: 'serial', keys: { serial: 1 }, unique: true }] }
]
