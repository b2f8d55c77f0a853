/** At most `size` values, the least recently used leaves; each until its time in milliseconds. */
export interface Lru<T> {
  get (key: string, nowMs: number): T | undefined
  set (key: string, value: T, untilMs: number): void
  delete (key: string): void
  clear (): void
}

export function createLru<T> (size: number): Lru<T> {
  const entries = new Map<string, { value: T, untilMs: number }>()
  return {
    get (key, nowMs) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      if (entry.untilMs <= nowMs) return undefined
      entries.set(key, entry)
      return entry.value
    },
    set (key, value, untilMs) {
      entries.delete(key)
      entries.set(key, { value, untilMs })
      if (entries.size <= size) return
      const { value: oldest } = entries.keys().next()
      if (oldest !== undefined) entries.delete(oldest)
    },
    delete (key) { entries.delete(key) },
    clear () { entries.clear() }
  }
}
