import { everything, type Blackout, type ResourceDefinition } from '../kernel/index.ts'
import { blackoutUntil } from './blackouts.ts'
import { refill, type Bucket } from './fair.ts'

/** Who has a place of a resource: a run for one of its releases. */
export interface Holder { runId: string, release: number, until: Date }

/** A resource as it stands; Infinity: no limit. */
export interface ResourceState {
  name: string
  capacity: number
  ratePerS?: number
  blackouts: readonly Blackout[]
  holders: readonly Holder[]
  bucket: Bucket
  /** Guards its next write. */
  rev: number
}

/** What a document of `jobs.resources` says; what an operator set wins over what is declared. */
export interface ResourceRow {
  _id: string
  capacity?: number
  ratePerS?: number
  blackouts?: Blackout[]
  holders?: Holder[]
  tokens?: number
  tokensAt?: Date
  rev?: number
  holdUntil?: Date
  probe?: boolean
}

/** Declared, else of capacity 1; a target that is neither declared nor known to an operator has no limit. */
export function resourceState (
  name: string, row: ResourceRow | undefined, declared: ResourceDefinition | undefined,
  { isTarget, nowMs }: { isTarget: boolean, nowMs: number }
): ResourceState {
  const said: Partial<ResourceRow> = { ...limits(declared), ...row }
  const { capacity = isTarget ? Infinity : 1, ratePerS, holders = [], rev = 0 } = said
  return {
    name,
    capacity,
    ...(ratePerS === undefined ? {} : { ratePerS }),
    blackouts: [...row?.blackouts ?? [], ...declared?.blackouts ?? []],
    holders,
    bucket: bucketOf(said, nowMs),
    rev
  }
}

/** What a run takes before its release. */
export interface Needs { resources?: readonly string[] | undefined, target?: string | undefined }

export interface Known { rows: ReadonlyMap<string, ResourceRow>, declared: ReadonlyMap<string, ResourceDefinition> }

/** Resources of a run and, where it is limited, its target; in order of name. */
export function namesNeeded ({ resources = [], target }: Needs, { rows, declared }: Known): string[] {
  const isLimited = target !== undefined && (declared.has(target) || isSet(rows.get(target)))
  return [...new Set(isLimited ? [...resources, target] : resources)].toSorted()
}

function isSet (row: ResourceRow | undefined): boolean {
  return row?.capacity !== undefined || row?.ratePerS !== undefined || row?.blackouts !== undefined
}

/** How all stands that these runs need, and what holds for everything. */
export function statesNeeded (
  runs: ReadonlyArray<Needs & { names: readonly string[] }>, { rows, declared }: Known, nowMs: number
): Map<string, ResourceState> {
  const targets = new Set(runs.flatMap(({ target, resources = [] }) =>
    target === undefined || resources.includes(target) ? [] : [target]))
  const names = new Set([everything, ...runs.flatMap((one) => one.names)])
  return new Map([...names].map((name) => [name, resourceState(
    name, rows.get(name), declared.get(name), { isTarget: name === everything || targets.has(name), nowMs })]))
}

function limits (declared: ResourceDefinition | undefined): Pick<ResourceRow, 'capacity' | 'ratePerS'> {
  const { capacity, ratePerS } = declared ?? {}
  return { ...(capacity === undefined ? {} : { capacity }), ...(ratePerS === undefined ? {} : { ratePerS }) }
}

/** Full where nobody took anything yet. */
function bucketOf ({ tokens, tokensAt, ratePerS = 1 }: Partial<ResourceRow>, nowMs: number): Bucket {
  return { tokens: tokens ?? Math.max(1, ratePerS), atMs: tokensAt?.getTime() ?? nowMs }
}

export interface Contestant {
  _id: string
  /** What it needs, in order of name. */
  names: readonly string[]
  release: number
  rank: number
  slotAt: Date
  overtaken: number
  /** Made by a schedule. */
  isScheduled: boolean
}

/** Losing so often is enough: from then on a run goes before all that have not. */
export const mostOvertaken = 3
/** Lower than any rank that is asked for: what the index of waiting runs has for those who go first. */
export const firstRank = -1_000_000

/** Who goes first: the lowest rank, then the earliest slot, then the id; before all of them who lost three times. */
export function contestOrder (
  a: Pick<Contestant, '_id' | 'rank' | 'slotAt' | 'overtaken'>,
  b: Pick<Contestant, '_id' | 'rank' | 'slotAt' | 'overtaken'>
): number {
  return rankOf(a) - rankOf(b) || arrival(a, b)
}

function rankOf ({ rank, overtaken }: Pick<Contestant, 'rank' | 'overtaken'>): number {
  return overtaken >= mostOvertaken ? firstRank : rank
}

function arrival (a: Pick<Contestant, '_id' | 'slotAt'>, b: Pick<Contestant, '_id' | 'slotAt'>): number {
  return a.slotAt.getTime() - b.slotAt.getTime() || (a._id < b._id ? -1 : 1)
}

export interface Verdicts<C extends Contestant> {
  winners: C[]
  losers: Array<{ run: C, reason: 'resource' | 'rate' | 'blackout' }>
  /** Losers before whom somebody later got a place that they wait for. */
  overtaken: C[]
  /** What is left of the rates. */
  buckets: Map<string, Bucket>
}

/**
 * Shares the free places out, all or nothing for each run, in the order of the contest. Who lost three times and still
 * lacks something keeps what it waits for from those behind it. Pure.
 */
export function allot<C extends Contestant> (
  runs: readonly C[], states: ReadonlyMap<string, ResourceState>, now: Date
): Verdicts<C> {
  const { free, buckets } = leftOf(states, now)
  const kept = new Set<string>()
  const result: Verdicts<C> = { winners: [], losers: [], overtaken: [], buckets }
  for (const run of runs.toSorted(contestOrder)) {
    const reason = obstacleOf(run, states, { free, buckets, kept }, now)
    if (reason !== undefined) {
      result.losers.push({ run, reason })
      if (run.overtaken >= mostOvertaken && reason !== 'blackout') for (const name of run.names) kept.add(name)
      continue
    }
    result.winners.push(run)
    pay(run.names, free, buckets)
  }
  result.overtaken = result.losers.filter(({ run, reason }) => reason !== 'blackout' && result.winners.some((winner) =>
    arrival(run, winner) < 0 && winner.names.some((name) => run.names.includes(name)))).map(({ run }) => run)
  return result
}

/** Free places and filled rates. */
function leftOf (states: ReadonlyMap<string, ResourceState>, now: Date): Pick<Left, 'free' | 'buckets'> {
  const free = new Map<string, number>()
  const buckets = new Map<string, Bucket>()
  for (const { name, capacity, holders, ratePerS, bucket } of states.values()) {
    free.set(name, capacity - holders.filter(({ until }) => until > now).length)
    if (ratePerS !== undefined) buckets.set(name, refill(bucket, now.getTime(), ratePerS, Math.max(1, ratePerS)))
  }
  return { free, buckets }
}

function pay (names: readonly string[], free: Map<string, number>, buckets: Map<string, Bucket>): void {
  for (const name of names) {
    free.set(name, (free.get(name) ?? 0) - 1)
    const bucket = buckets.get(name)
    if (bucket !== undefined) buckets.set(name, { ...bucket, tokens: bucket.tokens - 1 })
  }
}

interface Left { free: Map<string, number>, buckets: Map<string, Bucket>, kept: ReadonlySet<string> }

function obstacleOf (
  run: Contestant, states: ReadonlyMap<string, ResourceState>, { free, buckets, kept }: Left, now: Date
): 'resource' | 'rate' | 'blackout' | undefined {
  if (coveredUntil(run, states, now) !== null) return 'blackout'
  const needed = run.names.filter((name) =>
    !(states.get(name)?.holders ?? []).some(({ runId, release }) => runId === run._id && release === run.release + 1))
  if (needed.some((name) => kept.has(name) || (free.get(name) ?? 0) < 1)) return 'resource'
  return needed.some((name) => (buckets.get(name)?.tokens ?? 1) < 1) ? 'rate' : undefined
}

/** Until when a blackout keeps the run: one of its resources, or the one of everything. */
export function coveredUntil (
  { names, isScheduled }: Pick<Contestant, 'names' | 'isScheduled'>, states: ReadonlyMap<string, ResourceState>,
  now: Date
): Date | null {
  const all = isScheduled || names.length > 0 ? [...names, everything] : names
  return blackoutUntil(all.flatMap((name) => states.get(name)?.blackouts ?? []), now)
}
