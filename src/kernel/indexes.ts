/** An index as data; `migrate` creates what is missing and reports drift (`social.md` 4.11). */
export interface IndexDefinition {
  keys: Record<string, 1 | -1 | 'text'>
  name: string
  unique?: boolean
  sparse?: boolean
  partialFilterExpression?: Record<string, unknown>
  expireAfterSeconds?: number
  default_language?: string
  language_override?: string
}

/** A collection with its options and indexes; every TTL says why in a comment beside it. */
export interface CollectionDefinition {
  name: string
  options?: Record<string, unknown>
  indexes: readonly IndexDefinition[]
}
