import type { CollectionDefinition } from '../../kernel/index.ts'

/** One document per stream that is read, by name; kept for ever. */
export const markCollections: readonly CollectionDefinition[] = [{ name: 'sys.marks', indexes: [] }]
