import type { Queue } from '../kernel/index.ts'

/** What is known of a queue; rates and times in seconds. */
export interface Load {
  queue: Queue
  meanRunS: number
  arrivalsPerS: number
  /** Runs that are due or at work, as far as more workers would help them. */
  backlog: number
  /** In what time the backlog shall be gone. */
  drainS: number
  /** Places of one process. */
  concurrency: number
  /** Something becomes due within two minutes. */
  isDueSoon: boolean
  /** Processes that consume it now. */
  current: number
}

/** How many processes a queue asks for, for a scaler or a person. */
export interface Wanted { queue: Queue, required: number, current: number, reason: string }

export const soonMs = 120_000
/** Places that are used at most, so that a peak finds some. */
const usable = 0.8
const mostProcesses = 256

/** The signal of `jobs.md` 4.8: what comes in, and the backlog over `drainS`, must find places. */
export function wantedOf (load: Load): Wanted {
  const { queue, meanRunS, arrivalsPerS, backlog, drainS, concurrency, isDueSoon, current } = load
  if (backlog === 0 && arrivalsPerS === 0) {
    return isDueSoon
      ? { queue, required: 1, current, reason: 'a run is due within 2 min' }
      : { queue, required: 0, current, reason: 'nothing is due within 2 min' }
  }
  const asked = Math.max(1, Math.ceil(meanRunS * (arrivalsPerS + backlog / drainS) / (concurrency * usable)))
  const flow = `${backlog} at work or waiting, ${arrivalsPerS.toFixed(1)}/s come in, ${meanRunS.toFixed(3)} s each`
  return asked > mostProcesses
    ? { queue, required: mostProcesses, current, reason: `${flow}; ${asked} would be needed` }
    : { queue, required: asked, current, reason: flow }
}

/** Arrivals since the last look: what ended, and what the backlog grew by meanwhile. */
export function arrivalsOf (
  endedPerS: number, now: { backlog: number, atMs: number }, before: { backlog: number, atMs: number } | undefined
): number {
  if (before === undefined || now.atMs <= before.atMs) return endedPerS
  return Math.max(0, endedPerS + (now.backlog - before.backlog) / ((now.atMs - before.atMs) / 1000))
}
