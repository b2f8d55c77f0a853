/** Places for files of one host (`jobs.md` 4.12): four at once, whichever process carries them. */
export interface Slots {
  /** Takes or keeps a place; false: all are taken. */
  take (host: string, id: string): Promise<boolean>
  free (host: string, id: string): Promise<void>
}

export const filesPerHost = 4
/** A process that died holds its places for so long. */
export const slotMs = 15_000

/** The places of this process alone. */
export function createLocalSlots (): Slots {
  const hosts = new Map<string, Set<string>>()
  return {
    async take (host, id) {
      const taken = hosts.get(host) ?? new Set()
      hosts.set(host, taken)
      if (!taken.has(id) && taken.size >= filesPerHost) return false
      taken.add(id)
      return true
    },
    async free (host, id) {
      const taken = hosts.get(host)
      taken?.delete(id)
      if (taken?.size === 0) hosts.delete(host)
    }
  }
}
