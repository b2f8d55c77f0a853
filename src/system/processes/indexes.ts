import type { CollectionDefinition } from '../../kernel/index.ts'

/** No TTL: a row stays until somebody has ended the sessions of its process. */
export const processCollections: readonly CollectionDefinition[] = [{
  name: 'sys.processes',
  indexes: [{ name: 'host', keys: { host: 1 } }]
}]
