/** What goes wrong with an answer. Byte places of `cut` and `reset` are places in the whole file or body. */
export type Effect =
  | { kind: 'answer', status: number, headers?: Record<string, string>, body?: unknown }
  | { kind: 'drop-before' | 'drop-after' | 'hang' | 'ignore-ranges' }
  | { kind: 'delay', ms: number }
  | { kind: 'cut' | 'reset', atByte?: number, atShare?: number }
  | { kind: 'truncated-json' }
  | { kind: 'html', status?: number }
  | { kind: 'headers', headers: Record<string, string> }
  | { kind: 'bandwidth', bytesPerSecond: number }
  | { kind: 'wrong-length', by: number }
  | { kind: 'etag', etag: string }

/** `nth` counts the matching requests from the moment the fault was set, from 1; `share` is a probability. */
export interface Match {
  face?: string
  operation?: string
  account?: string
  remoteId?: string
  nth?: number
  share?: number
}

/** `times` is 1 where absent, `null` means always. */
export interface Fault {
  match: Match
  effect: Effect
  times?: number | null
}

/** A fault that a request has met; `use` spends one of its times and says whether there was one left. */
export interface Met {
  id: string
  effect: Effect
  use: () => boolean
  /** The answer ended before the place of its fault: it is still to come. */
  giveBack: () => void
}

export type Request = Pick<Match, 'face' | 'operation'> & { account: string | null, remoteId: string | null }
export type Faults = ReturnType<typeof createFaults>

/** The faults of one world. */
export function createFaults () {
  let next = 1
  let seed = 1
  const set: { id: string, fault: Fault, seen: number, left: number }[] = []

  // The same numbers in every run (Park and Miller): a share gives the same faults each time.
  const random = () => (seed = seed * 48271 % 2147483647) / 2147483647

  return {
    add (fault: Fault): string {
      const id = `fault-${next++}`
      set.push({ id, fault, seen: 0, left: fault.times === null ? Infinity : fault.times ?? 1 })
      return id
    },

    /** Faults that this request meets, in the order in which they were set. None is spent yet. */
    meet (request: Request): Met[] {
      return set.filter((entry) => {
        if (!fits(entry.fault.match, request)) return false
        entry.seen += 1
        if (entry.left <= 0 || entry.seen < (entry.fault.match.nth ?? 1)) return false
        return entry.fault.match.share === undefined || random() < entry.fault.match.share
      }).map((entry) => ({
        id: entry.id,
        effect: entry.fault.effect,
        use: () => {
          if (entry.left <= 0) return false
          entry.left -= 1
          return true
        },
        giveBack: () => { entry.left += 1 }
      }))
    },

    list: () => set.map(({ id, fault, seen, left }) => ({ id, ...fault, seen, left: left === Infinity ? null : left })),

    clear () {
      set.length = 0
      seed = 1
    }
  }
}

function fits (match: Match, request: Request): boolean {
  return (['face', 'operation', 'account', 'remoteId'] as const)
    .every((key) => match[key] === undefined || match[key] === request[key])
}

/** The faults of every run of the main job: two files cut once, one without ranges, one list request held off. */
export function mainJobFaults ({ small = false }: { small?: boolean } = {}): Fault[] {
  const file = (n: number) => ({ face: 'mastodon', operation: 'media.get', remoteId: String(n) })
  const cut = (n: number): Fault => ({ match: file(n), effect: { kind: 'cut', atShare: 0.6 } })
  const wait = (nth: number): Fault => ({
    match: { face: 'mastodon', operation: 'accounts.statuses', nth },
    effect: { kind: 'answer', status: 429, headers: { 'retry-after': '2' }, body: { error: 'Too many requests' } }
  })
  if (small) return [cut(289), wait(2)]
  return [cut(84), cut(289), { match: file(0), effect: { kind: 'ignore-ranges' }, times: null }, wait(10)]
}
