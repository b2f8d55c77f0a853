import { createHash } from 'node:crypto'
import type { CollectionDefinition } from '../../src/kernel/index.ts'

/** What the store must have for a collection, as one short word. */
export function fingerprintOf ({ name, options = {}, indexes }: CollectionDefinition): string {
  const sorted = [...indexes].sort((a, b) => a.name < b.name ? -1 : 1)
  return createHash('sha256').update(JSON.stringify([name, options, sorted])).digest('hex').slice(0, 16)
}

/** Row of `sys.meta` that `migrate` writes: fingerprints by collection. */
export interface SchemaRow { _id: 'schema', collections: Record<string, string>, at: Date }

/** A dot in a key would be a path. */
export function keyOf (collection: string): string {
  return collection.replaceAll('.', '/')
}
