/** Stores by key; what several views look at is opened once and closed by the last. */
export function createShelf<S> (create: (key: string) => { store: S, open: () => () => void }): {
  get: (key: string) => S
  open: (key: string) => () => void
} {
  const shelf = new Map<string, { store: S, open: () => () => void, users: number, close: () => void }>()

  function entryOf (key: string) {
    const known = shelf.get(key)
    if (known !== undefined) return known
    const made = { ...create(key), users: 0, close: () => {} }
    shelf.set(key, made)
    return made
  }

  return {
    get: (key) => entryOf(key).store,
    open (key) {
      const entry = entryOf(key)
      if (entry.users++ === 0) entry.close = entry.open()
      let isOpen = true
      return () => {
        if (!isOpen) return
        isOpen = false
        if (--entry.users === 0) entry.close()
      }
    }
  }
}

/** Gathers values by key and hands them over together, so that a burst is one change of the view. */
export function gather<T> (take: (values: Map<string, T>) => void, everyMs = 200): (key: string, value: T) => void {
  let waiting = new Map<string, T>()
  let timer: ReturnType<typeof setTimeout> | undefined
  return (key, value) => {
    waiting.set(key, value)
    timer ??= setTimeout(() => {
      timer = undefined
      const values = waiting
      waiting = new Map()
      take(values)
    }, everyMs)
  }
}
