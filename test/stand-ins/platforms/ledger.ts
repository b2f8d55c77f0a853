import type { WorldClock } from './clock.ts'

/** What became real in the world, written in the same step, before any answer. */
export interface LedgerEntry {
  n: number
  at: string
  face: string
  account: string | null
  operation: string
  remoteId: string | null
  marker: string | null
  bodySha256: string | null
  mediaSha256: string[]
  effect: 'published' | 'updated' | 'deleted' | 'refused' | 'granted' | 'revoked'
}

/** One request. `at` is the time of the world, `realAt` and `endedAt` real milliseconds since 1970. */
export interface RequestEntry {
  n: number
  at: string
  realAt: number
  endedAt: number | null
  face: string
  operation: string
  nth: number
  method: string
  url: string
  account: string | null
  remoteId: string | null
  range: string | null
  ifRange: string | null
  status: number | null
  contentRange: string | null
  bytesSent: number
  outcome: 'open' | 'sent' | 'cut' | 'closed'
  isOverLimit: boolean
  faults: string[]
}

export interface Counts {
  requests: number
  listRequests: number
  mediaRequests: number
  /** Different files of which every byte has left, in one answer or in several that join. */
  filesWhole: number
  effects: number
}

/** What a request is known by when it arrives. */
export type Arrival = Pick<RequestEntry, 'face' | 'operation' | 'method' | 'url' | 'remoteId' | 'range' | 'ifRange'>

export type Ledger = ReturnType<typeof createLedger>

/** The oracle: effects, requests and counts of one world. */
export function createLedger (clock: WorldClock) {
  const entries: LedgerEntry[] = []
  const requests: RequestEntry[] = []
  const marks = new Map<string, number>()
  const nths = new Map<string, number>()
  const waiters = new Set<() => void>()
  let filesWhole = 0
  const nthOf = (key: string) => nths.get(key) ?? 0
  const at = () => new Date(clock.now()).toISOString()
  const wake = () => { for (const look of [...waiters]) look() }

  function counts (): Counts {
    return {
      requests: requests.length,
      listRequests: nthOf('accounts.statuses'),
      mediaRequests: nthOf('media.get'),
      filesWhole,
      effects: entries.length
    }
  }

  return {
    entries,
    requests,
    counts,

    /** Writes an effect; the caller makes it real in the same synchronous step. */
    record (entry: Omit<LedgerEntry, 'n' | 'at' | 'marker' | 'bodySha256' | 'mediaSha256'> & Partial<LedgerEntry>) {
      entries.push({ marker: null, bodySha256: null, mediaSha256: [], ...entry, n: entries.length + 1, at: at() })
      wake()
    },

    /** Counts a request as it arrives. */
    arrive (arrival: Arrival): RequestEntry {
      const nth = nthOf(arrival.operation) + 1
      nths.set(arrival.operation, nth)
      const entry: RequestEntry = {
        ...arrival,
        n: requests.length + 1,
        at: at(),
        realAt: performance.timeOrigin + performance.now(),
        endedAt: null,
        nth,
        account: null,
        status: null,
        contentRange: null,
        bytesSent: 0,
        outcome: 'open',
        isOverLimit: false,
        faults: []
      }
      requests.push(entry)
      wake()
      return entry
    },

    finish (entry: RequestEntry, outcome: RequestEntry['outcome']) {
      if (entry.outcome !== 'open') return
      entry.outcome = outcome
      entry.endedAt = performance.timeOrigin + performance.now()
      wake()
    },

    /** Bytes `from` to `to` (exclusive) of a file of `size` bytes have left. */
    sent (file: string, from: number, to: number, size: number) {
      const mark = marks.get(file) ?? 0
      if (from > mark || to <= mark) return
      marks.set(file, to)
      if (to !== size) return
      filesWhole += 1
      wake()
    },

    /** Resolves true once a count has reached a value, false when the signal ends the wait. */
    until (name: keyof Counts, value: number, signal: AbortSignal): Promise<boolean> {
      return new Promise((resolve) => {
        const end = (isReached: boolean) => {
          waiters.delete(look)
          signal.removeEventListener('abort', give)
          resolve(isReached)
        }
        const look = () => { if (counts()[name] >= value) end(true) }
        const give = () => end(false)
        waiters.add(look)
        signal.addEventListener('abort', give)
        if (signal.aborted) give()
        else look()
      })
    },

    reset () {
      entries.length = 0
      requests.length = 0
      filesWhole = 0
      marks.clear()
      nths.clear()
    }
  }
}
