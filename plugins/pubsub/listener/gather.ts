import type { LiveDocument } from '../../../src/kernel/index.ts'
import type { Progress } from './progress.ts'
import type { Change } from './sources.ts'

const gatherMs = 100
/** Edges of several documents are read together. */
const edgeMs = 15

/** A document that changed and is not published up to its last change. */
interface Entry {
  collection: string
  id: string
  /** The highest version that the stream has told; nothing newer is published. */
  seen: number
  isVersioned: boolean
  isDirty: boolean
  isDeleted: boolean
  edges: Array<{ version: number, values: Record<string, unknown> }>
  /** All edge values that the stream has told so far. */
  values: Record<string, unknown>
  /** Read ahead of the stream: waits until its edges have passed. */
  ahead: LiveDocument | null
  dueMs: number
  seqs: number[]
}

export interface Publication { document: LiveDocument, isEdge: boolean }

/** What to publish of each document, by its id. */
export type Steps = ReadonlyMap<string, readonly Publication[]>

export interface GatherOptions {
  progress: Progress
  read: (collection: string, ids: readonly string[]) => Promise<LiveDocument[]>
  /** Publishes the steps of each document in order; resolves when the edges are out, `settled` when all is. */
  publish: (collection: string, steps: Steps) => Promise<{ settled: Promise<unknown> }>
  publishDeleted: (collection: string, id: string) => Promise<unknown>
  onError: (error: unknown) => void
  nowMs?: () => number
}

/** Collects changes, reads each document once per round and puts edges and values into order (`social.md` 4.12). */
export function createGather (options: GatherOptions) {
  const { progress, read, publish, publishDeleted, onError, nowMs = () => performance.now() } = options
  const entries = new Map<string, Entry>()
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> | null = null
  let isStopped = false

  function entryOf ({ collection, id }: Change): Entry {
    const name = `${collection} ${id}`
    const known = entries.get(name)
    if (known !== undefined) return known
    const made: Entry = {
      collection,
      id,
      seen: 0,
      isVersioned: true,
      isDirty: false,
      isDeleted: false,
      edges: [],
      values: {},
      ahead: null,
      dueMs: 0,
      seqs: []
    }
    entries.set(name, made)
    return made
  }

  function add (change: Change): void {
    const entry = entryOf(change)
    entry.seqs.push(change.seq)
    progress.begin(change.seq)
    if (!entry.isDirty) entry.dueMs = nowMs() + gatherMs
    entry.isDirty = true
    entry.isDeleted ||= change.isDeleted
    if (change.version === undefined) entry.isVersioned = change.isDeleted && entry.isVersioned
    else entry.seen = Math.max(entry.seen, change.version)
    if (change.edges !== undefined && change.version !== undefined) {
      entry.values = { ...entry.values, ...change.edges }
      entry.edges.push({ version: change.version, values: entry.values })
      entry.dueMs = Math.min(entry.dueMs, nowMs() + edgeMs)
    }
    if (entry.ahead !== null || entry.isDeleted) entry.dueMs = 0
    schedule()
  }

  function schedule (): void {
    if (working !== null || isStopped) return
    clearTimeout(timer)
    let due = Number.POSITIVE_INFINITY
    for (const entry of entries.values()) if (entry.isDirty) due = Math.min(due, entry.dueMs)
    if (due === Number.POSITIVE_INFINITY) return
    timer = setTimeout(() => {
      working = work().catch(onError).finally(() => {
        working = null
        schedule()
      })
    }, Math.max(0, due - nowMs()))
  }

  async function work (): Promise<void> {
    const now = nowMs()
    const due = [...entries.values()].filter((entry) => entry.isDirty && entry.dueMs <= now)
    await Promise.all([...Map.groupBy(due, ({ collection }) => collection)].map(async ([collection, some]) => {
      await workOn(collection, some)
    }))
  }

  async function workOn (collection: string, due: readonly Entry[]): Promise<void> {
    const toRead: string[] = []
    const rounds = due.map((entry) => {
      const round = { entry, steps: stepsOfAhead(entry), seqs: entry.seqs, isDeleted: entry.isDeleted }
      Object.assign(entry, { isDirty: false, seqs: [] })
      if (entry.ahead === null && !entry.isDeleted) toRead.push(entry.id)
      return round
    })
    const documents = new Map((await read(collection, toRead)).map((document) => [document._id, document]))
    for (const { entry, steps } of rounds) {
      const document = documents.get(entry.id)
      if (document !== undefined) steps.push(...stepsOfRead(entry, document))
      if (entry.ahead === null && !entry.isDirty) entries.delete(`${collection} ${entry.id}`)
    }
    const { settled } = await publish(collection, new Map(rounds.map(({ entry, steps }) => [entry.id, steps])))
    const gone = rounds.filter(({ isDeleted }) => isDeleted)
      .map(async ({ entry }) => await publishDeleted(collection, entry.id))
    // What waits for the stream is told again by the stream, so only what was published counts as done.
    Promise.all([settled, ...gone]).then(() => {
      for (const seq of rounds.flatMap(({ seqs }) => seqs)) progress.end(seq)
    }, onError)
  }

  return {
    add,
    size: () => entries.size,
    async stop (): Promise<void> {
      isStopped = true
      clearTimeout(timer)
      await working
    }
  }
}

/** Steps of a document that was read too early: its edges as they come, itself once the stream is there. */
function stepsOfAhead (entry: Entry): Publication[] {
  const { ahead } = entry
  if (ahead === null) return []
  const passed = entry.edges.filter(({ version }) => version <= ahead.version)
  entry.edges = entry.edges.filter(({ version }) => version > ahead.version)
  const steps = passed.map(({ version, values }) => ({ document: { ...ahead, ...values, version }, isEdge: true }))
  if (entry.seen < ahead.version) return steps
  entry.ahead = null
  return passed.at(-1)?.version === ahead.version ? steps : [...steps, { document: ahead, isEdge: false }]
}

function stepsOfRead (entry: Entry, document: LiveDocument): Publication[] {
  // An edge that came while the document was read is newer than it: laid over what was read, it would carry the
  // version of values that nobody has seen yet.
  const passed = entry.edges.filter(({ version }) => version <= document.version)
  entry.edges = entry.edges.filter(({ version }) => version > document.version)
  if (entry.edges.length > 0) entry.isDirty = true
  const steps: Publication[] = passed.map(({ version, values }) =>
    ({ document: { ...document, ...values, version }, isEdge: true }))
  const last = passed.at(-1)?.version
  if (entry.isVersioned && document.version > entry.seen) {
    entry.ahead = document
    return steps
  }
  return last === document.version ? steps : [...steps, { document, isEdge: false }]
}
