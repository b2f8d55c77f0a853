import type { Readable } from 'node:stream'

export interface StoredObject { key: string, bytes: number, type: string, sha256: string }

/** Stored bytes by key (`media.md` 4.1). No driver holds more than 8 MiB of a transfer. */
export interface Storage {
  /** The first writer of a key wins; a later one changes nothing and answers what is there. */
  put (key: string, body: Readable | Buffer, options: { type: string, sha256?: string }): Promise<StoredObject>
  /** Null where there is no such key. `range` is inclusive, as in HTTP. */
  get (key: string, options?: { range?: { start: number, end: number } }): Promise<Readable | null>
  head (key: string): Promise<StoredObject | null>
  delete (key: string): Promise<void>
}
