import type { Readable } from 'node:stream'

/** Where backups are put: parts by name below the id of a backup. A backup whose manifest is missing does not exist. */
export interface BackupStore {
  /** Collections that hold the target itself, and therefore are in no backup of it. */
  holds: readonly string[]
  /** Bytes written; whole when the promise resolves. Throws `jobs.disk` where there is no room. */
  put (id: string, part: string, body: Readable): Promise<number>
  /** Null where there is no such part. */
  get (id: string, part: string): Promise<Readable | null>
  /** Ids of everything that was begun here, ascending. */
  list (): Promise<string[]>
  /** Removes all parts, the manifest first. */
  remove (id: string): Promise<void>
}
