import { uuidv7, type Clock, type Log, type Tx } from '../../src/kernel/index.ts'
import {
  RunAborted, classify, fingerprintOf, judge,
  type Attempt, type ClaimRepository, type Classified, type RunPolicy, type RunRow, type StartKey, type WorkerRepository
} from '../../src/jobs/index.ts'
import type { Starts } from './claims.ts'
import type { PublishRun } from './progress.ts'
import type { Wake } from './wake.ts'

export interface OutcomeParts {
  claims: ClaimRepository
  starts: Starts
  workers: WorkerRepository
  tx: Tx
  clock: Clock
  log: Log
  codeVersion: string
  policyOf: (name: string) => RunPolicy | undefined
  wake: (wake: Wake) => void
  publish: PublishRun
}

/** How a delivery ended, for the board. */
export interface Ended { isDone: boolean, cause: string, code: string }

/** A claimed run and the key of its start. */
export interface Started { run: RunRow, key: StartKey }

/** Writes what became of a start that did not end well (`jobs.md` 4.4, 4.5). */
export function createOutcomes (parts: OutcomeParts) {
  const { claims, starts, workers, tx, clock, log, codeVersion, policyOf, wake, publish } = parts

  async function fail (started: Started, error: unknown, hasSteps: boolean): Promise<Ended> {
    if (
      error instanceof RunAborted && error.reason === 'superseded'
    ) return { isDone: true, cause: 'superseded', code: '' }
    const { run, key } = started
    const said = classify(error, clock.ms())
    await holdTarget(run, said)
    const verdict = judge(said, {
      attempt: run.attempt,
      conflicts: run.conflicts,
      hasSteps,
      timeouts: run.attempts.filter((one) => one.class === 'timeout').length
    }, policyOf(run.name) ?? { attempts: 1, backoff: 'net' })
    if (verdict.kind === 'cancelled') {
      await starts.end(key, { kind: 'ended', state: 'cancelled' })
      return { isDone: false, cause: said.cause, code: said.code }
    }
    if (verdict.kind === 'dead' || isTooOld(run, verdict.afterMs)) return await bury(started, said, error)
    if (said.cause === 'bug') log.error({ err: error, run: run._id, job: run.name }, 'a handler failed')
    return await again(started, verdict.afterMs, said, verdict.isCounted)
  }

  async function holdTarget ({ target }: RunRow, { cause, waitMs = 0 }: Classified): Promise<void> {
    if (target === undefined || (cause !== 'throttled' && cause !== 'circuit_open')) return
    await workers.hold(target, new Date(clock.ms() + waitMs), cause === 'circuit_open')
    wake({ queues: [], hasHolds: true })
  }

  /** Back to pending. */
  async function again ({ run, key }: Started, afterMs: number, said: Classified, isCounted = false): Promise<Ended> {
    const isSilent = said.cause === 'shutdown' || said.cause === 'not_ready'
    await starts.end(key, {
      kind: 'again',
      runAt: new Date(clock.ms() + afterMs),
      isCounted,
      isConflict: said.cause === 'conflict',
      attempt: isSilent ? undefined : attemptOf(run, said, 'again')
    })
    return { isDone: false, cause: said.cause, code: said.code }
  }

  /** Dead, with its letter. */
  async function bury (started: Started, said: Classified, error?: unknown): Promise<Ended> {
    const { run, key } = started
    const last = attemptOf(run, said, 'dead')
    const { cause, code, message } = said
    const isOurs = await starts.insist(async () => await tx(async (session) => await claims.bury(session, key, {
      _id: uuidv7(clock.ms()),
      workspaceId: run.workspaceId,
      runId: run._id,
      name: run.name,
      dataHash: run.dataHash,
      class: cause,
      code,
      message,
      fingerprint: fingerprintOf(run.name, said, error),
      attempts: [...run.attempts, last],
      state: 'open',
      codeVersion,
      failedAt: last.endedAt
    }, last)))
    if (!isOurs) return { isDone: true, cause: 'superseded', code: '' }
    log.error({ err: error, run: run._id, job: run.name, class: cause, code, reason: message }, 'a run is dead')
    publish(run, undefined, 'dead')
    return { isDone: false, cause, code }
  }

  async function expire ({ key }: Started): Promise<Ended> {
    await starts.end(key, { kind: 'ended', state: 'expired' })
    return { isDone: true, cause: 'expired', code: '' }
  }

  function attemptOf (run: RunRow, { cause, code, message }: Classified, outcome: Attempt['outcome']): Attempt {
    const now = clock.now()
    return { fence: run.fence, startedAt: run.startedAt ?? now, endedAt: now, outcome, class: cause, code, message }
  }

  function isTooOld (run: RunRow, afterMs: number): boolean {
    const maxAgeMs = policyOf(run.name)?.maxAgeMs
    return maxAgeMs !== undefined && clock.ms() + afterMs - run.createdAt.getTime() > maxAgeMs
  }

  return { fail, again, bury, expire }
}

export type Outcomes = ReturnType<typeof createOutcomes>
