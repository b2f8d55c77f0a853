import { setTimeout as sleep } from 'node:timers/promises'
import { uuidv7, withContext, type Clock, type JobContext, type Log, type Progress, type Tx } from '../../src/kernel/index.ts'
import {
  RunAborted, classify, fingerprintOf, judge,
  type Attempt, type ClaimRepository, type Classified, type RunPolicy, type RunRow, type StartKey, type WorkerRepository
} from '../../src/jobs/index.ts'
import type { Starts } from './claims.ts'
import { createJobContext } from './job-context.ts'
import type { Wake } from './wake.ts'

const giveUpMs = 10_000
const maxCrashes = 3

/** What a name does in this process. */
export interface Bound {
  name: string
  version: number
  policy: RunPolicy
  /** Checked and lifted data. */
  read: (version: number, data: unknown) => unknown
  run: (ctx: JobContext) => Promise<unknown>
}

export interface ExecuteParts {
  claims: ClaimRepository
  starts: Starts
  workers: WorkerRepository
  tx: Tx
  clock: Clock
  log: Log & { child?: (fields: object) => Log }
  codeVersion: string
  boundOf: (name: string) => Bound | undefined
  wake: (wake: Wake) => void
  publish: (run: RunRow, progress?: Progress, state?: RunRow['state']) => void
  metrics: { started: (run: RunRow) => void, ended: (run: RunRow, cause: string, startedMs: number) => void }
}

/** How a delivery ended, for the board. */
export interface Ended { isDone: boolean, cause: string, code: string }

/** Runs claimed runs and writes what became of them. */
export function createExecutor (parts: ExecuteParts) {
  const { claims, starts, workers, tx, clock, codeVersion, boundOf, wake, publish, metrics } = parts
  const active = new Map<string, { abort: AbortController, fence: number }>()
  let isStopping = false

  async function execute (run: RunRow): Promise<Ended> {
    const startedMs = performance.now()
    const key: StartKey = { id: run._id, fence: run.fence, claim: run.claim ?? '' }
    metrics.started(run)
    const abort = new AbortController()
    active.set(run._id, { abort, fence: run.fence })
    try {
      const ended = await attempt(run, key, abort)
      metrics.ended(run, ended.cause, startedMs)
      return ended
    } finally {
      active.delete(run._id)
      wake({
        queues: [run.queue],
        ...(run.serial === undefined ? {} : { serials: [[run.workspaceId, run.serial]] })
      })
    }
  }

  async function attempt (run: RunRow, key: StartKey, abort: AbortController): Promise<Ended> {
    if (isStopping) return await fail(run, key, new RunAborted('shutdown'), undefined)
    const bound = boundOf(run.name)
    if (bound === undefined) return await again(run, key, 5000, { cause: 'not_ready', code: 'no_handler', message: '' })
    if (run.deadlineAt !== undefined && run.deadlineAt <= clock.now()) return await expire(key)
    if (run.crashes >= maxCrashes) {
      return await bury(run, key, { cause: 'poison', code: 'crashes', message: `killed its worker ${run.crashes} times` }, undefined)
    }
    let data: unknown
    try {
      data = bound.read(run.v, run.data)
    } catch (error) {
      const { code, message } = classify(error, clock.ms())
      return await bury(run, key, { cause: 'contract', code, message }, error)
    }
    return await handle(run, key, abort, bound, data)
  }

  async function handle (run: RunRow, key: StartKey, abort: AbortController, bound: Bound, data: unknown): Promise<Ended> {
    const log = parts.log.child?.({ run: run._id, job: run.name, ...(run.trace === undefined ? {} : { trace: run.trace }) }) ?? parts.log
    const timer = createTimer(bound.policy, () => { abort.abort(new RunAborted('timeout')) })
    const context = createJobContext({ claims, tx, clock, log, publish }, { run, key, abort, onAlive: timer.onAlive }, data)
    let result: unknown
    let failure: { error: unknown } | undefined
    try {
      const handled = withContext({
        cause: { kind: 'run', id: run._id },
        signal: abort.signal,
        ...(run.trace === undefined ? {} : { trace: run.trace }),
        ...(run.actor === undefined ? {} : { actor: run.actor })
      }, async () => await bound.run(context.ctx))
      result = await Promise.race([handled, givenUp(abort.signal, handled)])
    } catch (error) {
      failure = { error }
    }
    timer.stop()
    await context.settle()
    if (context.state.isCommitted) {
      if (failure !== undefined) log.warn({ err: failure.error }, 'the handler failed after its commit, which counts')
    } else if (failure !== undefined) {
      return await fail(run, key, isOurs(abort.signal) ? abort.signal.reason : failure.error, context)
    } else await starts.end(key, result === undefined ? { kind: 'done' } : { kind: 'done', result })
    if (context.state.hasProgress || run.cause?.kind === 'request') publish(run, undefined, 'done')
    if (run.target !== undefined) wake({ queues: [], targets: [run.target] })
    return { isDone: true, cause: 'done', code: '' }
  }

  async function fail (
    run: RunRow, key: StartKey, error: unknown, context: { steps: object } | undefined
  ): Promise<Ended> {
    const said = classify(error, clock.ms())
    if (error instanceof RunAborted && error.reason === 'superseded') return { isDone: true, cause: 'superseded', code: '' }
    const policy = boundOf(run.name)?.policy ?? { attempts: 1, backoff: 'net' as const }
    const verdict = judge(said, {
      attempt: run.attempt,
      conflicts: run.conflicts,
      hasSteps: Object.keys(context?.steps ?? {}).length > 0,
      timeouts: run.attempts.filter((one) => one.class === 'timeout').length
    }, policy)
    if (run.target !== undefined && (said.cause === 'throttled' || said.cause === 'circuit_open')) {
      await workers.hold(run.target, new Date(clock.ms() + (said.waitMs ?? 0)), said.cause === 'circuit_open')
      wake({ queues: [], hasHolds: true })
    }
    if (verdict.kind === 'cancelled') {
      await starts.end(key, { kind: 'ended', state: 'cancelled' })
      return { isDone: false, ...said }
    }
    if (verdict.kind === 'dead' || isTooOld(run, verdict.afterMs)) return await bury(run, key, said, error)
    if (said.cause === 'bug') parts.log.error({ err: error, run: run._id, job: run.name }, 'a handler failed')
    return await again(run, key, verdict.afterMs, said, verdict.isCounted)
  }

  async function again (run: RunRow, key: StartKey, afterMs: number, said: Classified, isCounted = false): Promise<Ended> {
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

  async function bury (run: RunRow, key: StartKey, said: Classified, error: unknown): Promise<Ended> {
    const last = attemptOf(run, said, 'dead')
    const letter = {
      _id: uuidv7(clock.ms()),
      workspaceId: run.workspaceId,
      runId: run._id,
      name: run.name,
      class: said.cause,
      code: said.code,
      message: said.message,
      fingerprint: fingerprintOf(run.name, said, error),
      attempts: [...run.attempts, last],
      state: 'open' as const,
      codeVersion,
      failedAt: last.endedAt
    }
    await starts.insist(async () => await tx(async (session) => await claims.bury(session, key, letter, last)))
    parts.log.error({ err: error, run: run._id, job: run.name, class: said.cause, code: said.code, message: said.message }, 'a run is dead')
    publish(run, undefined, 'dead')
    return { isDone: false, cause: said.cause, code: said.code }
  }

  async function expire (key: StartKey): Promise<Ended> {
    await starts.end(key, { kind: 'ended', state: 'expired' })
    return { isDone: true, cause: 'expired', code: '' }
  }

  function attemptOf (run: RunRow, { cause, code, message }: Classified, outcome: Attempt['outcome']): Attempt {
    const now = clock.now()
    return { fence: run.fence, startedAt: run.startedAt ?? now, endedAt: now, outcome, class: cause, code, message }
  }

  function isTooOld (run: RunRow, afterMs: number): boolean {
    const maxAgeMs = boundOf(run.name)?.policy.maxAgeMs
    return maxAgeMs !== undefined && clock.ms() + afterMs - run.createdAt.getTime() > maxAgeMs
  }

  return {
    execute,
    activeCount: () => active.size,
    isActive: (id: string) => active.has(id),
    /** From now on a claimed run goes back uncounted. */
    stop () { isStopping = true },
    abortAll () {
      for (const { abort } of active.values()) abort.abort(new RunAborted('shutdown'))
    }
  }
}

export type Executor = ReturnType<typeof createExecutor>

function isOurs ({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof RunAborted
}

/** Ends the wait for a handler that ignores its signal; the fence stops what it still writes. */
async function givenUp (signal: AbortSignal, handled: Promise<unknown>): Promise<never> {
  const isSettled = handled.then(() => true, () => true)
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => { resolve() }, { once: true })
    void isSettled.then(() => { resolve() })
  })
  const timer = new AbortController()
  const wait = sleep(giveUpMs, false, { signal: timer.signal }).catch(() => false)
  if (await Promise.race([isSettled, wait])) {
    timer.abort()
    return await new Promise<never>(() => undefined)
  }
  throw signal.reason
}

function createTimer ({ timeoutMs, isIdleTimeout }: RunPolicy, onTimeout: () => void) {
  const timer = setTimeout(onTimeout, timeoutMs)
  return {
    onAlive () { if (isIdleTimeout) timer.refresh() },
    stop () { clearTimeout(timer) }
  }
}
