import {
  allot, blackoutUntil, coveredUntil, isPlain, namesNeeded, refill, resourceState, statesNeeded,
  type Bucket, type Candidate, type Contestant, type ResourceRepository, type ResourceRow,
  type ResourceState
} from '../../src/jobs/index.ts'
import { everything, type Clock, type Registry } from '../../src/kernel/index.ts'

interface Parts {
  resources: ResourceRepository
  declared: Registry['resources']
  clock: Clock
}

interface Entrant extends Contestant { candidate: Candidate }

interface Settled { winners: Candidate[], taken: Map<string, readonly string[]> }

/** So long a place is kept without a keeper that looks whether its run is still live. */
const heldMs = 120_000
const mostContestants = 50
/** A look at the store for whom a keeper forgot reads up to 10,000 runs. */
const lookMs = 5000
/** Why a run of a schedule waits that needs nothing but the end of a blackout of everything. */
const forAll = 'global_blackout'

/** Who gets a place of a resource: taken all or nothing, in order of name, before a release (`jobs.md` 4.6). */
export function createContest ({ resources, declared, clock }: Parts) {
  let rows = new Map<string, ResourceRow>()
  /** Resources that somebody waits for, with the queues of who does, as far as this keeper knows. */
  let wanted = new Map<string, Set<string>>()
  let lookedMs = -Infinity

  async function load (): Promise<void> {
    rows = new Map((await resources.all()).map((row) => [row._id, row]))
  }

  async function look (): Promise<void> {
    wanted = new Map((await resources.wanted()).map(({ name, queues }) => [name, new Set(queues)]))
    lookedMs = performance.now()
  }

  function statesOf (entrants: readonly Entrant[]): Map<string, ResourceState> {
    const needs = entrants.map(({ names, candidate: { resources, target } }) => ({ names, resources, target }))
    return statesNeeded(needs, { rows, declared }, clock.ms())
  }

  /** Whether somebody might get a place of it now. */
  function isFree (name: string, now: Date): boolean {
    const [row, known] = [rows.get(name), declared.get(name)]
    const isUnlimited = row?.capacity === undefined && known === undefined
    const state = resourceState(name, row, known, { isTarget: isUnlimited, nowMs: now.getTime() })
    const { capacity, holders, ratePerS, bucket } = state
    if (holders.filter(({ until }) => until > now).length >= capacity) return false
    const tokens = ratePerS === undefined ? 1 : refill(bucket, now.getTime(), ratePerS, Math.max(1, ratePerS)).tokens
    if (tokens < 1) return false
    return blackoutUntil(state.blackouts, now) === null
  }

  function wait (run: Entrant): void {
    for (const name of run.names) {
      const queues = wanted.get(name)
      if (queues === undefined) wanted.set(name, new Set([run.candidate.queue]))
      else queues.add(run.candidate.queue)
    }
  }

  /** Writes the winners down as holders, one update for each resource; those who got all that they need. */
  async function take (
    winners: readonly Entrant[], states: ReadonlyMap<string, ResourceState>, buckets: ReadonlyMap<string, Bucket>
  ): Promise<Entrant[]> {
    const until = new Date(clock.ms() + heldMs)
    let left = [...winners]
    for (const name of [...new Set(winners.flatMap((one) => one.names))].toSorted()) {
      const state = states.get(name)
      const mine = left.filter(({ names }) => names.includes(name))
      if (state === undefined || mine.length === 0) continue
      const fresh = mine.filter(({ _id, release }) =>
        !state.holders.some((one) => one.runId === _id && one.release === release + 1))
      const holders = fresh.map(({ _id: runId, release }) => ({ runId, release: release + 1, until }))
      const taking = { name, rev: state.rev, holders, bucket: buckets.get(name) }
      if (fresh.length === 0 || await resources.take(taking)) continue
      // Somebody changed it: these wait for the next pass, without what they took already.
      for (const { _id: runId, release, names } of mine) {
        await resources.giveBack(names.filter((one) => one < name), { runId, release: release + 1 })
      }
      left = left.filter((one) => !mine.includes(one))
    }
    return left
  }

  return {
    /** Those who wait for a resource that has a free place now; `isPoll`: may look at the store for whom it forgot. */
    async waiting (isPoll: boolean): Promise<Candidate[]> {
      if (isPoll && performance.now() - lookedMs >= lookMs) await look()
      if (wanted.size === 0) return []
      await load()
      const now = clock.now()
      const free = [...wanted.keys()].filter((name) => isFree(name, now))
      const found = await Promise.all(free.map(async (name) => {
        const waiting = await resources.contestants(name, mostContestants)
        if (waiting.length === 0) wanted.delete(name)
        return waiting
      }))
      return [...new Map(found.flat().map((run) => [run._id, run])).values()]
    },

    /** Lets those go who need nothing or get what they need; the others wait, and it says for what. */
    async settle (runs: readonly Candidate[], now: Date): Promise<Settled> {
      const taken = new Map<string, readonly string[]>()
      if (runs.every(isPlain)) return { winners: [...runs], taken }
      await load()
      const entrants = runs.filter((run) => !isPlain(run)).map(toEntrant)
      const states = statesOf(entrants)
      const { winners, losers, overtaken, buckets } = allot(entrants, states, now)
      const got = await take(winners, states, buckets)
      for (const { _id, names } of got) if (names.length > 0) taken.set(_id, names)
      const passedOver = new Set(overtaken.map(({ _id }) => _id))
      const said = losers.map(({ run, reason }) => ({ run, reason: run.names.length === 0 ? forAll : reason }))
      // Most of them wait for the same as before.
      const news = said.filter(({ run, reason }) => run.candidate.heldBy !== reason || passedOver.has(run._id))
      await resources.lose(news.map(({ run, reason }) => ({ id: run._id, reason })), passedOver)
      for (const { run } of losers) wait(run)
      return { winners: [...runs.filter(isPlain), ...got.map(({ candidate }) => candidate)], taken }
    },

    /** Runs that were not published after all. */
    async giveBack (runs: readonly Candidate[], taken: ReadonlyMap<string, readonly string[]>): Promise<void> {
      for (const { _id: runId, release } of runs) {
        await resources.giveBack(taken.get(runId) ?? [], { runId, release: release + 1 })
      }
    },

    /** Queues of those who wait for one of these. */
    queuesOf: (names: readonly string[]): string[] => names.flatMap((name) => [...wanted.get(name) ?? []]),

    /** Frees places of runs that are not live any more, and schedules that a blackout of everything held. */
    async reconcile (): Promise<string[]> {
      const now = clock.now()
      const freed = await resources.reconcile(now, new Date(now.getTime() + heldMs))
      await load()
      const states = new Map([[everything, resourceState(
        everything, rows.get(everything), declared.get(everything), { isTarget: true, nowMs: now.getTime() })]])
      if (coveredUntil({ names: [], isScheduled: true }, states, now) === null) await resources.free(forAll)
      return freed.flatMap((name) => [...wanted.get(name) ?? []])
    }
  }

  function toEntrant (candidate: Candidate): Entrant {
    const { _id, release, rank = 0, slotAt, runAt, overtaken = 0, cause } = candidate
    return {
      _id, release, rank, slotAt: slotAt ?? runAt, overtaken, candidate,
      names: namesNeeded(candidate, { rows, declared }),
      isScheduled: cause?.kind === 'schedule'
    }
  }
}

export type Contest = ReturnType<typeof createContest>
