import type { Filter } from 'mongodb'
import { expiryOf, type Attempt, type RunRow, type StartKey } from '../run.ts'

/** How a start ended; differing ones ride in one bulk. */
export type Outcome =
  | { kind: 'done', result?: unknown }
  | { kind: 'again', runAt: Date, isCounted: boolean, isConflict: boolean, attempt: Attempt | undefined }
  | { kind: 'ended', state: 'cancelled' | 'expired' }

/** Nobody waits for it, as far as the store knows at this moment. */
export const unneeded = { isNeeded: { $ne: true } }

/** The start as long as it has its run. */
export const running = ({ id, fence, claim }: StartKey) => ({ _id: id, fence, claim, state: 'running' as const })

/** The same start as long as nobody asked to cancel it: what is cancelled has no effect any more. */
export const effective = (key: StartKey) => ({ ...running(key), cancel: { $exists: false } })

/** Done and again are said of what is wanted still. */
const guardOf = (outcome: Outcome) => outcome.kind === 'ended' ? running : effective

/** Equal outcomes of one claim are one update; what ends a run also matches `ending`. */
export function operationsOf (groups: readonly Group[], now: Date, ending: Filter<RunRow> = {}) {
  return groups.map(({ keys, outcome }) => {
    const [one] = keys as [StartKey]
    const more = outcome.kind === 'again' ? {} : ending
    const filter = { ...guardOf(outcome)(one), _id: { $in: keys.map((key) => key.id) }, ...more }
    return { updateMany: { filter, update: updateOf(outcome, now) } }
  })
}

/** Starts of one claim that ended alike. */
export interface Group { keys: StartKey[], outcome: Outcome }

/** Starts of one claim that are done without a result are one update. */
export function groupDone (outcomes: ReadonlyArray<{ key: StartKey, outcome: Outcome }>): Group[] {
  const groups: Group[] = []
  const byClaim = new Map<string, Group>()
  for (const { key, outcome } of outcomes) {
    const name = outcome.kind === 'done' && outcome.result === undefined ? `${key.claim} ${key.fence}` : undefined
    const there = name === undefined ? undefined : byClaim.get(name)
    if (there !== undefined) {
      there.keys.push(key)
      continue
    }
    const group = { keys: [key], outcome }
    groups.push(group)
    if (name !== undefined) byClaim.set(name, group)
  }
  return groups
}

/** What an outcome makes of the run. */
export function updateOf (outcome: Outcome, now: Date) {
  if (outcome.kind === 'again') {
    const { runAt, isCounted, isConflict, attempt } = outcome
    return {
      $set: {
        state: 'pending' as const, isLive: false, heldBy: null, claim: null, worker: null, runAt, updatedAt: now
      },
      $inc: { attempt: isCounted ? 1 : 0, conflicts: isConflict ? 1 : 0 },
      ...(attempt === undefined ? {} : { $push: { attempts: { $each: [attempt], $slice: -20 } } })
    }
  }
  const state = outcome.kind === 'done' ? 'done' as const : outcome.state
  const result = outcome.kind === 'done' && outcome.result !== undefined ? { result: outcome.result } : {}
  return {
    $set: { state, isLive: false, endedAt: now, ...expiryOf(state, now.getTime()), ...result }
  }
}
