import type { BackupStore, Storage } from '../../kernel/index.ts'
import { withDisk } from './full.ts'
import { manifestPart } from './manifest.ts'

export interface StorageStoreParts {
  storage: Storage
  /** Collections in which a driver keeps its bytes. */
  holds: readonly string[]
  /** Ids and parts of the backups that were begun. */
  known: () => Promise<Array<{ id: string, parts: readonly string[] }>>
}

/** Backups in the storage of the product, below `backups/`. */
export function createStorageStore ({ storage, holds, known }: StorageStoreParts): BackupStore {
  const keyOf = (id: string, part: string): string => `backups/${id}/${part}`
  return {
    holds,
    async put (id, part, body) {
      try {
        return (await storage.put(keyOf(id, part), body, { type: 'application/octet-stream' })).bytes
      } catch (error) {
        throw withDisk(error)
      }
    },
    get: async (id, part) => await storage.get(keyOf(id, part)),
    list: async () => (await known()).map(({ id }) => id).toSorted(),
    async remove (id) {
      await storage.delete(keyOf(id, manifestPart))
      const parts = (await known()).find((one) => one.id === id)?.parts ?? []
      for (const part of parts) await storage.delete(keyOf(id, part))
    }
  }
}
