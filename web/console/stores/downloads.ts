import { computed, signal } from '@preact/signals'
import { get } from '../api.ts'
import { follow, type Pub } from '../live.ts'
import { problemOf, type Problem } from '../problem.ts'
import { calmly, type Page, type Status } from './list.ts'
import { createShelf, gather } from './shared.ts'
import type { Tone } from '../parts/status.ts'
import type { Happening } from '../parts/story.ts'
import type { Download, DownloadState } from './shapes.ts'

const mostPages = 10
const ended: readonly DownloadState[] = ['done', 'failed', 'cancelled']

export function isMoving ({ state }: Download): boolean {
  return !ended.includes(state) && state !== 'paused'
}

/** Transfers by account: a table of the interface, moved by every publication. */
export const downloads = createShelf((accountId) => {
  const path = `/v1/social/accounts/${accountId}/downloads`
  const byId = signal<ReadonlyMap<string, Download>>(new Map())
  const status = signal<Status>('idle')
  const problem = signal<Problem | undefined>(undefined)
  const seen = new Map<string, Happening[]>()

  function put (values: Iterable<Download>): void {
    const next = new Map(byId.peek())
    for (const value of values) {
      const known = next.get(value.id)
      // Bytes are a high-water mark: a page read a moment ago never turns a bar back.
      const bytes = Math.max(value.bytes, known?.bytes ?? 0)
      const isOver = known !== undefined && ended.includes(known.state) && !ended.includes(value.state)
      const state = isOver ? known.state : value.state
      next.set(value.id, { ...known, ...value, bytes, state })
    }
    byId.value = next
  }

  async function load (): Promise<Page<Download> | undefined> {
    if (status.peek() === 'idle') status.value = 'loading'
    try {
      let page = await get<Page<Download>>(`${path}?limit=100`)
      const first = page
      put(page.data)
      for (let n = 1; n < mostPages && page.page.next !== undefined; n++) {
        page = await get<Page<Download>>(`${path}?limit=100&cursor=${encodeURIComponent(page.page.next)}`)
        put(page.data)
      }
      problem.value = undefined
      status.value = 'ready'
      return first
    } catch (error) {
      problem.value = problemOf(error)
      status.value = 'refused'
      return undefined
    }
  }

  const learnNames = calmly(load, 2500)
  const apply = gather<Download>((values) => {
    put(values.values())
    if ([...values.keys()].some((id) => byId.peek().get(id)?.url === undefined)) learnNames()
  })

  function onPub ({ key, d, ts }: Pub): void {
    const id = key ?? String(d['downloadId'])
    note(seen, id, d as unknown as Download, ts)
    apply(id, { ...d, id } as unknown as Download)
  }

  const items = computed(() => [...byId.value.values()].sort(inOrder))
  return {
    store: {
      path,
      items,
      status,
      problem,
      hasMore: signal(false),
      load,
      storyOf: (download: Download) => storyOf(download, seen)
    },
    open: () => follow(`social.downloads:${accountId}`, { getState: load, onPub })
  }
})

function rank ({ state }: Download): number {
  if (state === 'queued') return 2
  return ended.includes(state) || state === 'paused' ? 1 : 0
}

function inOrder (a: Download, b: Download): number {
  return rank(a) - rank(b) || (a.id < b.id ? 1 : -1)
}

const toneOf = (state: DownloadState): Tone => state === 'done' ? 'good' : state === 'failed' ? 'bad' : 'info'

function whyOf ({ restarts, errorCode }: Download): string | undefined {
  return errorCode ?? (restarts > 0 ? `restarted ${restarts}×` : undefined)
}

function note (seen: Map<string, Happening[]>, id: string, download: Download, at: number): void {
  const story = seen.get(id) ?? []
  const { state } = download
  if (story.at(-1)?.what !== state) {
    story.push({ at: new Date(at).toISOString(), what: state, tone: toneOf(state), why: whyOf(download) })
  }
  seen.set(id, story.slice(-30))
}

function storyOf (download: Download, seen: Map<string, Happening[]>): Happening[] {
  const { id, state, createdAt, updatedAt } = download
  const story = seen.get(id) ?? []
  const start: Happening[] = createdAt === undefined ? [] : [{ at: createdAt, what: 'asked for', tone: 'muted' }]
  if (story.at(-1)?.what === state || updatedAt === undefined) return [...start, ...story]
  return [...start, ...story, { at: updatedAt, what: state, tone: toneOf(state), why: whyOf(download) }]
}
