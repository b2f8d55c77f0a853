import type { CollectionDefinition } from '../kernel/index.ts'

export const collections: readonly CollectionDefinition[] = [
  {
    name: 'media.files',
    indexes: [
      { name: 'purpose', keys: { workspaceId: 1, ownerId: 1, purpose: 1, createdAt: -1 } },
      { name: 'state', keys: { state: 1, updatedAt: 1 } },
      { name: 'blob', keys: { workspaceId: 1, blobKey: 1 } }
    ]
  },
  { name: 'media.blobs', indexes: [{ name: 'storage', keys: { storageKey: 1 } }] },
  { name: 'media.renditions', indexes: [{ name: 'hash', keys: { workspaceId: 1, hash: 1, preset: 1 } }] }
]
