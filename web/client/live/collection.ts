import type { Live } from './live.ts'
import type { Handlers, ListState, LiveProblem } from './types.ts'

export interface CollectionOptions<T extends object> {
  /** Reads the rows by REST: `{ data, position }`. */
  getState?: () => Promise<ListState & { data: readonly T[] }>
  /** Key of a row of that list; `id` unless said. */
  keyOf?: (row: T) => string
  onChange?: (items: ReadonlyMap<string, T>, changed: readonly string[]) => void
  onEnd?: (problem: LiveProblem) => void
}

export interface Collection<T extends object> {
  readonly items: ReadonlyMap<string, T>
  close (): void
}

/** The keys of a state channel with their last values; an older `version` never replaces a newer one. */
export function createCollection<T extends object> (
  live: Live, channel: string, { getState, keyOf = idOf, onChange, onEnd }: CollectionOptions<T> = {}
): Collection<T> {
  const items = new Map<string, T>()

  const handlers: Handlers<ListState & { data: readonly T[] }, T> = {
    onReset () { items.clear() },
    onPub ({ key, del, d }) {
      if (key === undefined) return
      if (del === true) items.delete(key)
      else if (isOlder(d, items.get(key))) return
      else items.set(key, d)
      onChange?.(items, [key])
    },
    ...(onEnd === undefined ? {} : { onEnd }),
    ...(getState === undefined
      ? {}
      : {
          getState,
          onState ({ data }) {
            for (const row of data) items.set(keyOf(row), row)
            onChange?.(items, [...items.keys()])
          }
        })
  }
  const { close } = live.subscribe(channel, handlers)
  return { items, close }
}

function idOf (row: object): string {
  return String((row as { id?: unknown }).id)
}

function isOlder (next: object, known: object | undefined): boolean {
  const [a, b] = [next, known].map((value) => (value as { version?: unknown } | undefined)?.version)
  return typeof a === 'number' && typeof b === 'number' && a < b
}
