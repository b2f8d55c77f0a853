/** How long rows of a collection are kept, as data; `jobs.clear-records` carries it out (`jobs.md` 4.10). */
export interface RetentionDefinition {
  /** `<domain>.<what goes>` */
  name: string
  collection: string
  /** Filter over the rows that may go; plain equality, `$in`, `$exists`. */
  where: Record<string, unknown>
  /** Rows whose date in this field is older than so many days go. */
  age: { field: string, days: number }
  /** Archived rows are stored whole, as gzip NDJSON of extended JSON, before they go. */
  mode: 'delete' | 'archive'
  /** Rows of one page, which go in one transaction. */
  batch: number
  /** A row that has this field is held for the law, and stays. */
  holdField: string
}

/** Only for what TTL cannot do: where rows are counted, archived, or may be held. No time series. */
export function defineRetention (
  rule: Pick<RetentionDefinition, 'name' | 'collection' | 'age'> & Partial<RetentionDefinition>
): RetentionDefinition {
  return { where: {}, mode: 'delete', batch: 1000, holdField: 'legalHold', ...rule }
}
