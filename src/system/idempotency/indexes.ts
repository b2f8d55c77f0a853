import type { CollectionDefinition } from '../../kernel/index.ts'

export const idempotencyCollections: readonly CollectionDefinition[] = [{
  name: 'sys.idempotency_keys',
  indexes: [
    // A key counts for 72 hours after its first use.
    { name: 'expiry', keys: { expiresAt: 1 }, expireAfterSeconds: 0 }
  ]
}]
