import type { Readable } from 'node:stream'
import { defineErrors } from './errors.ts'

/** Errors of every driver; a run that meets one is tried again. */
export const StorageError = defineErrors('storage', {
  bytes_lost: { kind: 'unavailable', message: 'Stored bytes are missing; the store died while they were written.' },
  full: { kind: 'unavailable', message: 'There is no room left for stored bytes.' }
})

export interface StoredObject { key: string, bytes: number, type: string, sha256: string }

/** Stored bytes by key (`media.md` 4.1). No driver holds more than 8 MiB of a transfer. */
export interface Storage {
  /** The first writer of a key wins; a later one changes nothing and answers what is there. Throws `storage.full`. */
  put (key: string, body: Readable | Buffer, options: { type: string, sha256?: string }): Promise<StoredObject>
  /** Null where there is no such key. `range` is inclusive, as in HTTP. */
  get (key: string, options?: { range?: { start: number, end: number } }): Promise<Readable | null>
  head (key: string): Promise<StoredObject | null>
  delete (key: string): Promise<void>
}
