import {
  uuidv7, type AddedRun, type Clock, type JobContext, type JobDefinition, type JobSender, type Lane, type Registry,
  type Session
} from '../kernel/index.ts'
import { newBatch } from './batches.ts'
import { JobsError } from './errors.ts'
import { dataHash, seqOf } from './keys.ts'
import { present } from './present.ts'
import type { BatchRepository, BatchRow, Letter } from './repository.ts'
import type { RunRow } from './run.ts'
import { newRun } from './sender.ts'

/** A run that died again after so many replays is not replayed any more. */
export const mostRounds = 3

export type Known = Pick<Registry, 'jobs' | 'subscribers'>

/** Why a letter cannot be replayed; undefined: it can. */
export function refusalOf (
  { name, round = 0, runId }: Pick<Letter, 'name' | 'round' | 'runId'>, run: object | undefined, known: Known
): Error | undefined {
  if (round >= mostRounds) return JobsError.replay_loop({ runId, rounds: round })
  if (run === undefined) return JobsError.run_not_found({ id: runId })
  return known.jobs.has(name) || known.subscribers.has(name) ? undefined : JobsError.unknown_job({ job: name })
}

/** The run of a replay, and the batch of what it makes, under one id: the answer names both. */
export async function startReplay (
  { session, jobs, batches, clock }:
  { session: Session, jobs: Pick<JobSender, 'add'>, batches: Pick<BatchRepository, 'insert'>, clock: Clock },
  job: JobDefinition, data: unknown, workspaceId: string
): Promise<AddedRun> {
  const run = await jobs.add(session, job, data as never, { workspaceId })
  await batches.insert(session, batchOf({ id: run.id, workspaceId, name: job.name }, clock))
  return run
}

/** Makes the batch of a replay that has none: a dead replay that somebody replays is only another run. */
export async function ensureBatch (
  { batches, clock }: { batches: Pick<BatchRepository, 'ensure'>, clock: Clock }, run: Replay
): Promise<void> {
  await batches.ensure(batchOf(run, clock))
}

type Replay = Pick<JobContext['run'], 'id' | 'workspaceId' | 'name'>

function batchOf ({ id, workspaceId, name }: Replay, clock: Clock): BatchRow {
  return newBatch({ _id: id, workspaceId, name, filledBy: id, createdAt: clock.now() })
}

/** A new run that does what the dead one did not, with the data that an operator gave its letter. */
export function replayOf (
  { data: edited, round = 0 }: Letter, run: RunRow, { known, clock, lane, runAt, batchId }:
  { known: Known, clock: Clock, lane: Lane, runAt: Date, batchId: string | undefined }
): RunRow {
  const id = uuidv7(clock.ms())
  const job = known.jobs.get(run.name)
  const work = edited === undefined || job === undefined ? workOf(run) : workOfEdited(run, job, edited)
  const { serial, ...rest } = work
  return newRun({
    ...rest,
    _id: id,
    workspaceId: run.workspaceId,
    name: run.name,
    queue: run.queue,
    lane,
    cost: run.cost,
    runAt,
    createdAt: clock.now(),
    replayOf: run._id,
    replays: round + 1,
    ...(serial === undefined ? {} : { serial, seq: run.seq?.startsWith('v') === true ? run.seq : seqOf(id) }),
    ...present({ actor: run.actor, isReplay: run.isReplay, batchId })
  })
}

type Work = Pick<RunRow, 'v' | 'data' | 'dataHash'> & { serial?: string, target?: string }

function workOf ({ v, data, dataHash, serial, target }: RunRow): Work {
  return { v, data, dataHash, ...present({ serial, target }) }
}

function workOfEdited (run: RunRow, job: JobDefinition, data: unknown): Work {
  const serial = job.serial?.(data) ?? run.serial
  const target = job.target?.(data) ?? run.target
  return { v: job.version, data, dataHash: dataHash(data), ...present({ serial, target }) }
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
