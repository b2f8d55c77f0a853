import { uuidv7, type Clock, type Log, type Tx } from '../../src/kernel/index.ts'
import {
  RunAborted, ageMsOf, classify, fingerprintOf, judge,
  type Attempt, type ClaimRepository, type Classified, type HoldRepository, type Letter, type OnBuried,
  type RunPolicy, type RunRow, type StartKey
} from '../../src/jobs/index.ts'
import { insistOnHeld } from './insist.ts'
import type { Starts } from './claims.ts'
import type { PublishRun } from './progress.ts'
import type { Wake } from './wake.ts'

export interface OutcomeParts {
  claims: ClaimRepository
  starts: Starts
  holds: HoldRepository
  tx: Tx
  clock: Clock
  log: Log
  codeVersion: string
  policyOf: (name: string) => RunPolicy | undefined
  wake: (wake: Wake) => void
  publish: PublishRun
  /** Tells of a death in the transaction that writes its letter. */
  onBuried: OnBuried
}

/** How a delivery ended, for the board and for whoever counts. */
export interface Ended {
  isDone: boolean
  cause: string
  code: string
  /** Its run is dead; `isNew`: no other letter of the same fingerprint was open. */
  death?: { isNew: boolean }
}

/** A claimed run and the key of its start. */
export interface Started { run: RunRow, key: StartKey }

/** Writes what became of a start that did not end well (`jobs.md` 4.4, 4.5). */
export function createOutcomes (parts: OutcomeParts) {
  const { claims, starts, holds, tx, clock, log, codeVersion, policyOf, wake, publish, onBuried } = parts

  async function fail (started: Started, error: unknown, hasSteps: boolean): Promise<Ended> {
    if (
      error instanceof RunAborted && error.reason === 'superseded'
    ) return { isDone: true, cause: 'superseded', code: '' }
    const { run } = started
    const said = classify(error, clock.ms())
    await holdTarget(run, said)
    const verdict = judge(said, {
      attempt: run.attempt,
      conflicts: run.conflicts,
      hasSteps,
      timeouts: run.attempts.filter((one) => one.class === 'timeout').length
    }, policyOf(run.name) ?? { attempts: 1, backoff: 'net' })
    if (verdict.kind === 'cancelled') {
      return await cancel(started)
    }
    if (verdict.kind === 'dead' || isTooOld(run, verdict.afterMs)) return await bury(started, said, error)
    if (said.cause === 'bug') log.error({ err: error, run: run._id, job: run.name }, 'a handler failed')
    return await again(started, verdict.afterMs, said, verdict.isCounted)
  }

  async function holdTarget ({ target }: RunRow, { cause, waitMs = 0 }: Classified): Promise<void> {
    if (target === undefined || (cause !== 'throttled' && cause !== 'circuit_open')) return
    await holds.hold(target, new Date(clock.ms() + waitMs), cause === 'circuit_open')
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
    const letter: Letter = {
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
      failedAt: last.endedAt,
      round: run.replays ?? 0
    }
    let isNew = false
    const standing = await insistOnHeld(claims, key, async () => await starts.insist(async () =>
      await tx(async (session) => {
        const isMine = await claims.bury(session, key, letter, last)
        isNew = isMine && await onBuried(session, run, letter)
        return isMine
      })))
    if (standing === 'cancelled') return await cancel(started)
    if (standing !== 'done') return { isDone: true, cause: 'superseded', code: '' }
    log.error({ err: error, run: run._id, job: run.name, class: cause, code, reason: message }, 'a run is dead')
    publish({ ...run, error: { class: cause, code, message } }, undefined, 'dead')
    return { isDone: false, cause, code, death: { isNew } }
  }

  async function cancel ({ run, key }: Started): Promise<Ended> {
    await starts.end(key, { kind: 'ended', state: 'cancelled' })
    publish(run, undefined, 'cancelled')
    return { isDone: false, cause: 'cancelled', code: '' }
  }

  async function expire ({ run, key }: Started): Promise<Ended> {
    await starts.end(key, { kind: 'ended', state: 'expired' })
    publish(run, undefined, 'expired')
    return { isDone: true, cause: 'expired', code: '' }
  }

  function attemptOf (run: RunRow, { cause, code, message }: Classified, outcome: Attempt['outcome']): Attempt {
    const now = clock.now()
    return { fence: run.fence, startedAt: run.startedAt ?? now, endedAt: now, outcome, class: cause, code, message }
  }

  /** Whether it will be older after that time than its job allows. */
  function isTooOld (run: RunRow, afterMs: number): boolean {
    const maxAgeMs = policyOf(run.name)?.maxAgeMs
    return maxAgeMs !== undefined && ageMsOf(run, clock.ms()) + afterMs > maxAgeMs
  }

  /** Ends what may not start any more. */
  async function endOverdue (started: Started): Promise<Ended | undefined> {
    const { deadlineAt } = started.run
    if (deadlineAt !== undefined && deadlineAt <= clock.now()) return await expire(started)
    return isTooOld(started.run, 0) ? await buryOld(started) : undefined
  }

  /** Dead of what its last start met, of its wait where it had none that ended. */
  async function buryOld (started: Started): Promise<Ended> {
    const last = started.run.attempts.at(-1)
    if (last === undefined || last.class === 'crash') {
      return await bury(
        started, { cause: 'not_ready', code: 'too_old', message: 'It waited longer than its job allows.' })
    }
    return await bury(started, { cause: last.class, code: last.code, message: last.message })
  }

  /** Back to pending without a start that counts. */
  async function giveBack (run: RunRow): Promise<Ended> {
    const key = { id: run._id, fence: run.fence, claim: run.claim ?? '' }
    return await again({ run, key }, 0, { cause: 'shutdown', code: 'no_place', message: '' })
  }

  return { fail, again, bury, endOverdue, cancel, giveBack }
}

export type Outcomes = ReturnType<typeof createOutcomes>
