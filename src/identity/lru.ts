/** At most `size` values, each until its time in milliseconds; what was not asked for lately leaves first. */
export interface Lru<T> {
  get (key: string, nowMs: number): T | undefined
  set (key: string, value: T, untilMs: number): void
  delete (key: string): void
  clear (): void
}

interface Entry<T> { value: T, untilMs: number }

/** Two halves: what is asked for moves into the young one, and when that is full, the old one is forgotten. */
export function createLru<T> (size: number): Lru<T> {
  const half = Math.max(1, Math.floor(size / 2))
  let young = new Map<string, Entry<T>>()
  let old = new Map<string, Entry<T>>()

  function add (key: string, entry: Entry<T>): void {
    if (young.size >= half && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, entry)
  }

  function find (key: string): Entry<T> | undefined {
    const entry = young.get(key)
    if (entry !== undefined) return entry
    const aged = old.get(key)
    if (aged === undefined) return undefined
    old.delete(key)
    add(key, aged)
    return aged
  }

  return {
    get (key, nowMs) {
      const entry = find(key)
      if (entry === undefined) return undefined
      if (entry.untilMs > nowMs) return entry.value
      young.delete(key)
      return undefined
    },
    set (key, value, untilMs) {
      old.delete(key)
      add(key, { value, untilMs })
    },
    delete (key) {
      young.delete(key)
      old.delete(key)
    },
    clear () {
      young = new Map()
      old = new Map()
    }
  }
}
