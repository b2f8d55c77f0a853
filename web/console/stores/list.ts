import { signal, type ReadonlySignal } from '@preact/signals'
import { get } from '../api.ts'
import { problemOf, type Problem } from '../problem.ts'

export interface Position { channel: string, epoch: string, offset: number, mid: string | null }
export interface Page<T> { data: T[], page: { next?: string, hasMore: boolean }, position?: Position }
export type Status = 'idle' | 'loading' | 'ready' | 'refused'

/** What a view needs to know of a list. */
export interface List<T> {
  items: ReadonlySignal<T[]>
  status: ReadonlySignal<Status>
  problem: ReadonlySignal<Problem | undefined>
  hasMore: ReadonlySignal<boolean>
  path: string
}

interface Options<T> {
  path: string
  idOf: (item: T) => string
  compare?: (a: T, b: T) => number
  pageSize?: number
  /** Answers everything at once: there are no pages. */
  isWhole?: boolean
  /** Asked for without a token. */
  isPublic?: boolean
}

/** A list of the server in page steps; publications move it through `put` and `change`. */
export function createList<T> ({ path, idOf, compare, pageSize = 50, isWhole = false, isPublic = false }: Options<T>) {
  const items = signal<T[]>([])
  const status = signal<Status>('idle')
  const problem = signal<Problem | undefined>(undefined)
  const hasMore = signal(false)
  let next: string | undefined
  let turn = 0
  let isPaged = false
  const withPage = isWhole ? path : `${path}${path.includes('?') ? '&' : '?'}limit=${pageSize}`

  function merge (fresh: readonly T[], kept: readonly T[]): T[] {
    const known = new Set(fresh.map(idOf))
    const all = [...fresh, ...kept.filter((item) => !known.has(idOf(item)))]
    return compare === undefined ? all : all.sort(compare)
  }

  async function ask (address: string): Promise<Page<T> | undefined> {
    const mine = ++turn
    try {
      const page = await get<Page<T>>(address, { isPublic })
      if (mine !== turn) return undefined
      problem.value = undefined
      return page
    } catch (error) {
      if (mine === turn) {
        problem.value = problemOf(error)
        status.value = 'refused'
      }
      return undefined
    }
  }

  return {
    path, items, status, problem, hasMore,

    /** Reads the first page; `keeps` what further pages brought. */
    async load ({ keeps = false } = {}): Promise<Page<T> | undefined> {
      if (status.peek() !== 'ready') status.value = 'loading'
      const page = await ask(withPage)
      if (page === undefined) return undefined
      const isKept = keeps && isPaged
      items.value = merge(page.data, isKept ? items.peek() : [])
      if (!isKept) {
        isPaged = false
        next = isWhole ? undefined : page.page.next
        hasMore.value = next !== undefined
      }
      status.value = 'ready'
      return page
    },

    async more (): Promise<void> {
      if (next === undefined) return
      const page = await ask(`${withPage}&cursor=${encodeURIComponent(next)}`)
      if (page === undefined) return
      isPaged = true
      items.value = merge(items.peek(), page.data)
      next = page.page.next
      hasMore.value = next !== undefined
    },

    put (fresh: readonly T[]): void {
      items.value = merge(fresh, items.peek())
    },

    patch (turnInto: (item: T) => T): void {
      items.value = items.peek().map(turnInto)
    },

    change (id: string, turnInto: (item: T) => T): void {
      items.value = items.peek().map((item) => idOf(item) === id ? turnInto(item) : item)
    },

    drop (id: string): void {
      items.value = items.peek().filter((item) => idOf(item) !== id)
    }
  }
}

/** Calls soon, and no more than once in `everyMs`, however often it is asked. */
export function calmly (act: () => unknown, everyMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let lastAt = -Infinity
  return () => {
    if (timer !== undefined) return
    const waitMs = Math.max(50, lastAt + everyMs - performance.now())
    timer = setTimeout(() => {
      timer = undefined
      lastAt = performance.now()
      void act()
    }, waitMs)
  }
}
