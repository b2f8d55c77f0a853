import {
  createPrecedence, freePlaces, laneNow, mixRisen, newRing, quantum, shareLanes, shareQuarter, takeTurns, turnFrom,
  type Ask, type Candidate, type CandidateRepository, type Precedence, type Ring, type Share, type ShareRepository
} from '../../src/jobs/index.ts'
import { lanes, queues, type Lane, type Queue } from '../../src/kernel/index.ts'
import { createRatesLeft, isLimited } from './rates-left.ts'
import { isEnough, isUrgent, isWhole, nextStock, withStock, type Stock } from './stock.ts'

interface Parts {
  candidates: CandidateRepository
  shares: ShareRepository
  concurrencyOf: (queue: string) => number
}

const mostWorkspaces = 64
/** So many are asked for besides those that should fill the places: some of them may be held. */
const spare = 4
/** So many busy workspaces are named in a question for others. */
const mostNamed = 1000
/** So many new runs are asked for by their ids. */
const mostNew = 64
/** A look finds the starts of so long besides those for the free places. */
const stockS = 0.5
const mostStock = 400

/** What is known of a queue between two polls. */
interface Window {
  /** Runs that are published or running, by workspace. */
  live: Map<string, number>
  total: number
  startsPerSec: number
  /** Nothing that is due was left behind. */
  isDry: boolean
  /** Somebody who may exceed the window was, or nobody was asked for since it was exceeded. */
  isUrgent: boolean
  precedence: Precedence
  stock?: Stock | undefined
}

/**
 * What is known of a lane of it: whose turn it is, of those too who exceed the window and move no other's turn, and how
 * many runs a workspace had when it was last asked.
 */
interface LaneState { ring: Ring, urgentRing: Ring, depth: number, workspaces: number }

/** Places of a queue in this pass; without free ones only what is urgent and who has nothing there may go. */
export interface Places { queue: Queue, free: number, extra: number, asks: Ask[], ids?: readonly string[] }

export interface Choice {
  chosen: Candidate[]
  /** More would go if it were looked at once more. */
  hasMore: boolean
}

/** Who has so little at work may exceed the window. */
const isFew = (live: number, size: number): boolean => live < Math.max(1, size / 8)

/** Who may exceed the window: whoever is busy has no part in the quarter, and is among what is known all the same. */
function allowed (
  known: readonly Candidate[], liveOf: (workspaceId: string) => number, size: number
): readonly Candidate[] {
  return known.filter(({ workspaceId, lane }) => lane === 'interactive' || isFew(liveOf(workspaceId), size))
}

/** Who goes next: lanes with ageing, turns of the workspaces within a lane, caps and rates (`jobs.md` 4.2, 1 and 2). */
export function createChoice ({ candidates, shares, concurrencyOf }: Parts) {
  const windows = new Map<string, Window>()
  const laneStates = new Map<string, LaneState>()
  const ratesLeft = createRatesLeft()
  let shareOf = new Map<string, Share>()
  /** Runs of a workspace with a cap have ended since they were counted. */
  let isUnsure = false

  function laneOf (queue: Queue, lane: Lane): LaneState {
    const name = `${queue} ${lane}`
    let state = laneStates.get(name)
    if (state === undefined) {
      laneStates.set(name, state = { ring: newRing(), urgentRing: newRing(), depth: quantum, workspaces: 1 })
    }
    return state
  }

  function windowOf (queue: string): Window {
    let window = windows.get(queue)
    if (window === undefined) {
      window = {
        live: new Map(), total: 0, startsPerSec: 0, isDry: false, isUrgent: true, precedence: createPrecedence()
      }
      windows.set(queue, window)
    }
    return window
  }

  /** Reads anew what is live and what operators gave the workspaces. */
  async function load (): Promise<void> {
    isUnsure = false
    const [live, all] = await Promise.all([candidates.live(queues), shares.all()])
    shareOf = new Map(all.map((share) => [share._id, share]))
    for (const queue of queues) {
      Object.assign(windowOf(queue), { live: new Map(), total: 0, isDry: false, isUrgent: true })
    }
    for (const { queue, workspaceId, count } of live) {
      const window = windowOf(queue)
      window.live.set(workspaceId, count)
      window.total += count
    }
  }

  function sizesOf (queue: Queue, isKnown = false) {
    const { total, startsPerSec } = windowOf(queue)
    return freePlaces({ concurrency: concurrencyOf(queue), startsPerSec, live: total, isKnown })
  }

  /** What to ask of a queue: no more than these new runs where nobody else may go, or is known already. */
  function placesOf (queue: Queue, news?: ReadonlySet<string>): Places {
    const { live, isUrgent, stock, startsPerSec } = windowOf(queue)
    const { free, extra, size } = sizesOf(queue, isEnough(stock, 1))
    if (news !== undefined && news.size <= mostNew && (free === 0 ? !isUrgent : isEnough(stock, free))) {
      return { queue, free, extra, asks: [], ids: [...news] }
    }
    // No room but for newcomers: whoever is busy here need not be looked at.
    const busy = [...live].filter(([, count]) => !isFew(count, size)).map(([workspaceId]) => workspaceId)
    const asks = lanes.map((lane): Ask => {
      const { ring, urgentRing, depth, workspaces } = laneOf(queue, lane)
      const isOpen = free > 0 || lane === 'interactive'
      const wanted = isOpen ? Math.max(free, lane === 'interactive' ? extra : 0) : Math.min(extra, quantum)
      const all = free === 0 ? wanted : wanted + Math.min(mostStock, Math.ceil(startsPerSec * stockS))
      return {
        queue,
        lane,
        from: turnFrom(free > 0 ? ring : urgentRing),
        without: isOpen || busy.length > mostNamed ? [] : busy,
        workspaces: wanted === 0 ? 0 : Math.min(mostWorkspaces, Math.ceil(wanted / depth) + spare),
        runs: workspaces <= 1 ? all : Math.min(all, Math.max(quantum, Math.ceil(all / workspaces) + spare))
      }
    })
    return { queue, free, extra, asks: busy.length > mostNamed && free === 0 ? asks.slice(0, 1) : asks }
  }

  /** Of what is due those who go, and whether somebody who could was left behind. */
  function choose ({ queue, free, extra, asks }: Places, found: readonly Candidate[], now: Date): Choice {
    const window = windowOf(queue)
    const { size } = sizesOf(queue)
    const { isFull, cut } = learn(asks, found, free > 0)
    const look = free > 0 && asks.length > 0 ? { asks, isCut: cut.size > 0 } : undefined
    const known = look === undefined ? withStock(window.stock, found) : found
    const due = free > 0 ? known : allowed(known, (workspaceId) => window.live.get(workspaceId) ?? 0, size)
    const others = new Set(due.map(({ workspaceId }) => workspaceId))
    const room = roomIn(window, { size, others, nowMs: now.getTime() })
    const chosen = inTurn(due, now, { queue, free, extra, size, room, cut })
    const stock = nextStock(window.stock, { known, chosen, look })
    // Where only newcomers were asked for, nobody knows what else waits.
    const wasDry = free > 0 ? look !== undefined || isWhole(stock) : window.isDry
    const isDry = wasDry && !isFull && chosen.length === known.length
    Object.assign(window, { stock, isDry, isUrgent: isUrgent({ due, chosen, extra, isFull }) })
    return { chosen, hasMore: free > 0 && !isDry }
  }

  /** Those who find a place, then of the others those who may exceed the window; `size`: the window. */
  function inTurn (due: readonly Candidate[], now: Date, { queue, free, extra, size, room, cut }: {
    queue: Queue, free: number, extra: number, size: number, room: ReturnType<typeof roomIn>, cut: ReadonlySet<Lane>
  }): Candidate[] {
    const of = { queue, room, cut, now }
    const placed = takeLanes(free > 0 ? due : [], {
      ...of, ringOf: ({ ring }) => ring, share: (waiting) => shareLanes(free, waiting)
    })
    const there = new Set(placed)
    const urgent = allowed(due.filter((run) => !there.has(run)), room.liveOf, size)
    const over = Math.max(0, extra - placed.length)
    return [...placed, ...takeLanes(urgent, {
      ...of, ringOf: ({ urgentRing }) => urgentRing, share: (waiting) => shareQuarter(over, waiting)
    })]
  }

  /** Lane by lane, and within each in turns of the workspaces. */
  function takeLanes (due: readonly Candidate[], { queue, room, cut, now, ringOf, share }: {
    queue: Queue, room: ReturnType<typeof roomIn>, cut: ReadonlySet<Lane>, now: Date
    ringOf: (state: LaneState) => Ring, share: (waiting: Record<Lane, number>) => Record<Lane, number>
  }): Candidate[] {
    const byLane = Map.groupBy(due, (run) => laneNow(run, now))
    const shared = share(Object.fromEntries(
      lanes.map((lane) => [lane, byLane.get(lane)?.length ?? 0])) as Record<Lane, number>)
    return lanes.flatMap((lane) => {
      const mine = Map.groupBy(byLane.get(lane) ?? [], ({ workspaceId }) => workspaceId)
      if (mine.size === 0) return []
      const taken = takeTurns(ringOf(laneOf(queue, lane)), {
        waiting: new Map([...mine].map(([workspaceId, runs]) => [workspaceId, mixRisen(runs, lane)])),
        places: shared[lane],
        roomOf: room.of,
        isCut: cut.has(lane),
        weightOf: (workspaceId) => shareOf.get(workspaceId)?.weight ?? 1
      })
      for (const { workspaceId } of taken) room.use(workspaceId)
      return taken
    })
  }

  /** Notes how much each lane had; whether any had more than was asked for, and which had more workspaces. */
  function learn (
    asks: readonly Ask[], due: readonly Candidate[], isOpen: boolean
  ): { isFull: boolean, cut: Set<Lane> } {
    let isFull = false
    const cut = new Set<Lane>()
    for (const { queue, lane, workspaces, runs } of asks) {
      const mine = Map.groupBy(due.filter((run) => run.lane === lane), ({ workspaceId }) => workspaceId)
      if (workspaces === 0) continue
      if (mine.size >= workspaces) cut.add(lane)
      isFull ||= cut.has(lane) || [...mine.values()].some(({ length }) => length >= runs)
      if (mine.size === 0 || !isOpen) continue
      const rows = [...mine.values()].reduce((sum, { length }) => sum + length, 0)
      Object.assign(laneOf(queue, lane), {
        workspaces: mine.size, depth: Math.max(1, Math.min(quantum, Math.floor(rows / mine.size)))
      })
    }
    return { isFull, cut }
  }

  /** How many more of its runs each workspace may have live: its cap while others wait, and its rate. */
  function roomIn (
    { live }: Window, { size, others, nowMs }: { size: number, others: ReadonlySet<string>, nowMs: number }
  ) {
    const used = new Map<string, number>()
    const liveOf = (workspaceId: string): number => (live.get(workspaceId) ?? 0) + (used.get(workspaceId) ?? 0)
    return {
      liveOf,
      of (workspaceId: string): number {
        const { maxLive = others.size > 1 ? Math.ceil(size / 2) : Infinity, perMin } = shareOf.get(workspaceId) ?? {}
        const room = maxLive - liveOf(workspaceId)
        if (perMin === undefined) return room
        return Math.min(room, ratesLeft.of(workspaceId, perMin, nowMs) - (used.get(workspaceId) ?? 0))
      },
      use (workspaceId: string): void {
        used.set(workspaceId, (used.get(workspaceId) ?? 0) + 1)
      }
    }
  }

  /** Its priority in Redis: who has less at work than its part of the window need not wait behind what others have. */
  function priorityOf ({ queue, lane, workspaceId }: Candidate): number {
    const { live, precedence } = windowOf(queue)
    const { size } = sizesOf(queue)
    const count = live.size + (live.has(workspaceId) ? 0 : 1)
    const isFew = count > 1 && (live.get(workspaceId) ?? 0) < size / count / 2
    return precedence.next({ lane, isFew, window: size })
  }

  const isBusy = (queue: Queue): boolean => windowOf(queue).total >= concurrencyOf(queue)

  return {
    load,
    isKnown: (queue: Queue) => windows.has(queue) && !isUnsure,
    placesOf,
    choose,

    /** A run was published; its priority in Redis. */
    sent (run: Candidate): number {
      const priority = priorityOf(run)
      const window = windowOf(run.queue)
      window.total++
      window.live.set(run.workspaceId, (window.live.get(run.workspaceId) ?? 0) + 1)
      ratesLeft.use(run.workspaceId)
      return priority
    },

    /** Notes runs that ended; those of their queues where that makes room for runs that wait. */
    ended (runs: ReadonlyArray<[queue: string, workspaceId: string]>): Queue[] {
      for (const [queue, workspaceId] of runs) {
        const window = windowOf(queue)
        window.total = Math.max(0, window.total - 1)
        // A cap holds always: an end that the last count has met already must not make room twice.
        if (shareOf.get(workspaceId)?.maxLive !== undefined) {
          isUnsure = true
          continue
        }
        const left = (window.live.get(workspaceId) ?? 0) - 1
        if (left > 0) window.live.set(workspaceId, left)
        else window.live.delete(workspaceId)
      }
      const names = new Set(runs.map(([queue]) => queue))
      return queues.filter((queue) => {
        if (!names.has(queue) || windowOf(queue).isDry) return false
        const { free, extra } = sizesOf(queue, isEnough(windowOf(queue).stock, 1))
        return free > 0 || (extra > 0 && windowOf(queue).isUrgent)
      })
    },

    isBusy,
    /** Whether others have all places, and this workspace, which has few and no limit, may go besides `more` others. */
    isNewcomer (queue: Queue, workspaceId: string, more = 0): boolean {
      const { extra, size } = sizesOf(queue)
      const mayGo = isBusy(queue) && extra > more && !isLimited(shareOf.get(workspaceId))
      return mayGo && isFew((windowOf(queue).live.get(workspaceId) ?? 0) + more, size)
    },

    windowSize: (queue: Queue): number => sizesOf(queue).size,
    setRate (queue: Queue, perSec: number): void { windowOf(queue).startsPerSec = perSec }
  }
}

export type Chooser = ReturnType<typeof createChoice>
