import type { Ask, Candidate } from '../../src/jobs/index.ts'

/** What was found due and left behind goes without another look for so long. */
const freshMs = 1000

/** What a look into the store found of a queue, less what went since; `deep`: who may have more there. */
export interface Stock { runs: readonly Candidate[], deep: ReadonlySet<string>, sinceMs: number }

/** Whether so many free places need no look: everybody who is known to wait is in it. */
export function isEnough (stock: Stock | undefined, free: number): boolean {
  if (stock === undefined || performance.now() - stock.sinceMs > freshMs) return false
  const { runs, deep } = stock
  if (deep.size === 0) return true
  const there = new Set(runs.map(({ workspaceId }) => workspaceId))
  return runs.length >= free && [...deep].every((workspaceId) => there.has(workspaceId))
}

/** Workspaces of which there may be more than was found. */
function deepOf (asks: readonly Ask[], found: readonly Candidate[]): Set<string> {
  const groups = Map.groupBy(found, ({ lane, workspaceId }) => `${lane} ${workspaceId}`)
  return new Set([...groups.values()].flatMap(([one, ...others]) => {
    const asked = asks.find(({ lane }) => lane === one?.lane)?.runs ?? Infinity
    return one !== undefined && others.length + 1 >= asked ? [one.workspaceId] : []
  }))
}

/** What was found, behind what is known already. */
export function withStock (stock: Stock | undefined, found: readonly Candidate[]): readonly Candidate[] {
  if (stock === undefined || stock.runs.length === 0) return found
  const there = new Set(stock.runs.map(({ _id }) => _id))
  return [...stock.runs, ...found.filter(({ _id }) => !there.has(_id))]
}

/** The stock when some of what is known went; undefined where more wait than were looked at. */
export function nextStock (
  stock: Stock | undefined, { known, chosen, look }: {
    known: readonly Candidate[]
    chosen: readonly Candidate[]
    /** What a look for all that wait asked, and whether there were more workspaces. */
    look?: { asks: readonly Ask[], isCut: boolean } | undefined
  }
): Stock | undefined {
  if (look?.isCut === true || (look === undefined && stock === undefined)) return undefined
  const went = new Set(chosen.map(({ _id }) => _id))
  const { deep, sinceMs } = look === undefined
    ? stock as Stock
    : { deep: deepOf(look.asks, known), sinceMs: performance.now() }
  return { runs: known.filter(({ _id }) => !went.has(_id)), deep, sinceMs }
}

/** Whether nobody has more in the store. */
export const isWhole = (stock: Stock | undefined): boolean => stock !== undefined && stock.deep.size === 0

/** Whether somebody waits still who may exceed the window, or would if more were over it. */
export function isUrgent ({ due, chosen, extra, isFull }: {
  due: readonly Candidate[], chosen: readonly Candidate[], extra: number, isFull: boolean
}): boolean {
  const count = (runs: readonly Candidate[]): number => runs.filter(({ lane }) => lane === 'interactive').length
  const urgent = count(due)
  return extra === 0 || urgent > count(chosen) || (isFull && urgent > 0)
}
