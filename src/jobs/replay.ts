import { uuidv7, type Clock, type Lane, type Registry } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { dataHash, seqOf } from './keys.ts'
import type { Letter } from './repository.ts'
import type { RunRow } from './run.ts'
import { newRun } from './sender.ts'

/** A run that died again after so many replays is not replayed any more. */
export const mostRounds = 3

export type Known = Pick<Registry, 'jobs' | 'subscribers'>

/** Why a letter cannot be replayed; undefined: it can. */
export function refusalOf ({ name, round = 0, runId }: Letter, run: RunRow | undefined, known: Known): Error | undefined {
  if (round >= mostRounds) return JobsError.replay_loop({ runId, rounds: round })
  if (run === undefined) return JobsError.run_not_found({ id: runId })
  return known.jobs.has(name) || known.subscribers.has(name) ? undefined : JobsError.unknown_job({ job: name })
}

/** A new run that does what the dead one did not, with the data that an operator gave its letter. */
export function replayOf (
  { data: edited, round = 0 }: Letter, run: RunRow, { known, clock, lane, runAt }:
  { known: Known, clock: Clock, lane: Lane, runAt: Date }
): RunRow {
  const id = uuidv7(clock.ms())
  const job = known.jobs.get(run.name)
  const isEdited = edited !== undefined && job !== undefined
  const data = isEdited ? edited : run.data
  const serial = isEdited ? job.serial?.(data) ?? run.serial : run.serial
  const target = isEdited ? job.target?.(data) ?? run.target : run.target
  return newRun({
    _id: id,
    workspaceId: run.workspaceId,
    name: run.name,
    v: isEdited ? job.version : run.v,
    data,
    dataHash: isEdited ? dataHash(data) : run.dataHash,
    queue: run.queue,
    lane,
    cost: run.cost,
    runAt,
    createdAt: clock.now(),
    replayOf: run._id,
    replays: round + 1,
    ...(serial === undefined ? {} : { serial, seq: run.seq?.startsWith('v') === true ? run.seq : seqOf(id) }),
    ...(target === undefined ? {} : { target }),
    ...(run.actor === undefined ? {} : { actor: run.actor }),
    ...(run.isReplay === undefined ? {} : { isReplay: run.isReplay })
  })
}

/**
 * Instants with equal gaps for a replay that may be cut and go on: `done` of it are there already, `startMs` is when it
 * began. After a pause the rest keeps the rate instead of making up for lost time.
 */
export function paced (
  { startMs, nowMs, done, ratePerS }: { startMs: number, nowMs: number, done: number, ratePerS: number }
): (index: number) => Date {
  const gapMs = 1000 / ratePerS
  const baseMs = Math.max(nowMs, startMs + done * gapMs)
  return (index) => new Date(Math.round(baseMs + (index - done) * gapMs))
}

/** Compares versions by their numbers: `1.10` is above `1.9`. */
export function compareVersions (a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}

function numbersOf (version: string): number[] {
  return version.split(/[.+-]/).map((part) => Number(part)).filter(Number.isFinite)
}
