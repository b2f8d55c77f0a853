import { lanes, type Lane } from '../kernel/index.ts'

/** Cost units that a workspace of weight 1 gets each time its turn comes. */
export const quantum = 10

/** A run that is older counts one lane higher; what is interactive goes first then. */
const limitMs: Record<Lane, number> = { interactive: 5000, default: 60_000, bulk: 900_000 }

/** The lane that a waiting run counts in. */
export function laneNow ({ lane, runAt }: { lane: Lane, runAt: Date }, now: Date): Lane {
  if (now.getTime() - runAt.getTime() <= limitMs[lane]) return lane
  return lanes[Math.max(0, lanes.indexOf(lane) - 1)] ?? lane
}

/**
 * Order of one workspace within a lane, each list the oldest first: what rose from the lane below takes turns with what
 * belongs here, so that an old backlog of its own does not stand before what somebody waits for.
 */
export function mixRisen<R extends { lane: Lane }> (runs: readonly R[], lane: Lane): R[] {
  const [own, risen] = [runs.filter((run) => run.lane === lane), runs.filter((run) => run.lane !== lane)]
  const mixed: R[] = []
  for (let i = 0; i < Math.max(own.length, risen.length); i++) {
    for (const run of [own[i], risen[i]]) if (run !== undefined) mixed.push(run)
  }
  return mixed
}

/** Whose turn it is among the workspaces of a lane, and what they have left of their turns. */
export interface Ring { at: string, left: Map<string, number> }

export const newRing = (): Ring => ({ at: '', left: new Map() })

export interface Turns<R> {
  /** By workspace, in the order in which they should go. */
  waiting: ReadonlyMap<string, readonly R[]>
  places: number
  /** How many more of its runs may be live. */
  roomOf: (workspaceId: string) => number
  weightOf: (workspaceId: string) => number
  /** More workspaces wait than these: each has one turn, then it is for others to have theirs. */
  isCut?: boolean
}

interface Queued<R> { runs: readonly R[], at: number, room: number }

/**
 * Deficit round robin: every workspace in turn gets its quantum and pays the cost of what it sends. Advances the ring;
 * a turn that ends because no place is left goes on next time.
 */
export function takeTurns<R extends { cost: number }> (
  ring: Ring, { waiting, places, roomOf, weightOf, isCut = false }: Turns<R>
): R[] {
  const queues = new Map([...waiting].map(([workspaceId, runs]): [string, Queued<R>] =>
    [workspaceId, { runs, at: 0, room: roomOf(workspaceId) }]))
  const chosen: R[] = []
  let isGoingOn = queues.has(ring.at) && (ring.left.get(ring.at) ?? 0) > 0
  for (let active = ringOrder(ring, [...queues.keys()]); active.length > 0 && chosen.length < places;) {
    active = active.filter((workspaceId) => {
      if (chosen.length >= places) return true
      ring.at = workspaceId
      const left = (ring.left.get(workspaceId) ?? 0) + (isGoingOn ? 0 : quantum * weightOf(workspaceId))
      isGoingOn = false
      return takeTurn(ring, queues.get(workspaceId), { left, places, chosen })
    })
    if (isCut) break
  }
  for (const workspaceId of ring.left.keys()) if (!queues.has(workspaceId)) ring.left.delete(workspaceId)
  return chosen
}

/** Sends what the workspace at turn can pay for; whether it could send more. */
function takeTurn<R extends { cost: number }> (
  ring: Ring, queue: Queued<R> | undefined, { left, places, chosen }: { left: number, places: number, chosen: R[] }
): boolean {
  if (queue === undefined) return false
  for (
    let run = queue.runs[queue.at];
    run !== undefined && run.cost <= left && queue.room > 0 && chosen.length < places;
    run = queue.runs[++queue.at]
  ) {
    chosen.push(run)
    left -= run.cost
    queue.room--
  }
  const mayGoOn = queue.at < queue.runs.length && queue.room > 0
  if (mayGoOn) ring.left.set(ring.at, left)
  else ring.left.delete(ring.at)
  return mayGoOn
}

/** The least name whose turn may be next: the one at turn while it has something left, else whatever follows it. */
export function turnFrom ({ at, left }: Ring): string {
  return (left.get(at) ?? 0) > 0 ? at : `${at}\0`
}

/** The workspaces as their turns follow: from the one at turn on, which is first only while it has something left. */
function ringOrder (ring: Ring, workspaces: readonly string[]): string[] {
  const sorted = workspaces.toSorted()
  const least = turnFrom(ring)
  const from = sorted.findIndex((one) => one >= least)
  return from <= 0 ? sorted : [...sorted.slice(from), ...sorted.slice(0, from)]
}

/** A bucket of starts that fills with time: so many a minute, at most those of ten seconds at once. */
export interface Bucket { tokens: number, atMs: number }

export function refill ({ tokens, atMs }: Bucket, nowMs: number, perSecond: number, burst: number): Bucket {
  return { tokens: Math.min(burst, tokens + Math.max(0, nowMs - atMs) * perSecond / 1000), atMs: nowMs }
}

/** Starts that a rate lets go at once: those of ten seconds, at least one. */
export const burstOf = (perMin: number): number => Math.max(1, perMin / 6)

/** In what time an empty bucket of the rate is full, in ms. */
export const refillMs = (perMin: number): number => burstOf(perMin) * minuteMs / perMin

/** What the rate has left, by the times of its starts since twice its `refillMs`, in order: never more than it has. */
export function leftOf (startsMs: readonly number[], perMin: number, nowMs: number): number {
  const fill = (bucket: Bucket, atMs: number): Bucket => refill(bucket, atMs, perMin / 60, burstOf(perMin))
  let bucket: Bucket = { tokens: 0, atMs: nowMs - 2 * refillMs(perMin) }
  for (const atMs of startsMs) {
    bucket = fill(bucket, atMs)
    // It had one, however little is known of what was before.
    bucket.tokens = Math.max(0, bucket.tokens - 1)
  }
  return fill(bucket, nowMs).tokens
}

const minuteMs = 60_000
const floor = 10

/** Starts of a queue and the retries among them, of the last minute: retries are at most a fifth, or ten. */
export function createRetryBudget () {
  let seconds: Array<{ sinceMs: number, starts: number, retries: number }> = []

  function sum (of: 'starts' | 'retries'): number {
    return seconds.reduce((total, one) => total + one[of], 0)
  }

  return {
    note (nowMs: number, starts: number, retries: number): void {
      const last = seconds.at(-1)
      if (last !== undefined && nowMs - last.sinceMs < 1000) {
        last.starts += starts
        last.retries += retries
      } else seconds.push({ sinceMs: nowMs, starts, retries })
    },
    /** How many retries may go now. */
    left (nowMs: number): number {
      seconds = seconds.filter(({ sinceMs }) => nowMs - sinceMs < minuteMs)
      return Math.max(0, Math.floor(Math.max(floor, sum('starts') / 5)) - sum('retries'))
    }
  }
}

export type RetryBudget = ReturnType<typeof createRetryBudget>
