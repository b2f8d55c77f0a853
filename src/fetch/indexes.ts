import type { CollectionDefinition } from '../kernel/index.ts'

export const collections: readonly CollectionDefinition[] = [{
  name: 'fetch.downloads',
  indexes: [
    { name: 'newest', keys: { workspaceId: 1, createdAt: -1, _id: -1 } },
    {
      name: 'active',
      keys: { workspaceId: 1, canonicalUrl: 1 },
      unique: true,
      partialFilterExpression: { isActive: true }
    },
    // What is on its way in all workspaces, a page at a time.
    { name: 'on_its_way', keys: { isActive: 1, _id: 1 }, partialFilterExpression: { isActive: true } },
    // Thirty days after its end nobody asks for a transfer; the file it made lives in media.
    { name: 'expiry', keys: { expireAt: 1 }, expireAfterSeconds: 0 }
  ]
}]
