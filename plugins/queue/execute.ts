import { setTimeout as sleep } from 'node:timers/promises'
import { withContext, type JobContext, type Log } from '../../src/kernel/index.ts'
import { RunAborted, classify, type RunPolicy, type RunRow } from '../../src/jobs/index.ts'
import { createJobContext, maxResultBytes, sizeOf } from './job-context.ts'
import type { RunPlaces } from './run-places.ts'
import { createTogether, type Together } from './together.ts'
import { createOutcomes, type Ended, type OutcomeParts, type Started } from './outcomes.ts'

const giveUpMs = 10_000
const maxCrashes = 3
/** So many runs of one serial follow each other in one place; then others have their turn. */
const longestRow = 50

/** What a name does in this process. */
export interface Bound {
  name: string
  version: number
  policy: RunPolicy
  /** Checked and lifted data. */
  read: (version: number, data: unknown) => unknown
  run: (ctx: JobContext) => Promise<unknown>
  together?: Together
}

export interface ExecuteParts extends Omit<OutcomeParts, 'policyOf' | 'log'> {
  log: Log & { child?: (fields: object) => Log }
  boundOf: (name: string) => Bound | undefined
  places: RunPlaces
  metrics: { started: (run: RunRow) => void, ended: (run: RunRow, cause: string, startedMs: number) => void }
}

/** Runs claimed runs and writes what became of them. */
export function createExecutor (parts: ExecuteParts) {
  const { claims, starts, tx, clock, boundOf, wake, publish, metrics, places } = parts
  const outcomes = createOutcomes({ ...parts, policyOf: (name) => boundOf(name)?.policy })
  const active = new Map<string, AbortController>()
  const finishTogether = createTogether(parts)
  let rows = 0
  let isDraining = false
  let isStopping = false

  /** The run of a delivery, then those that waited for its serial: they need no release, and Redis not at all. */
  async function execute (run: RunRow): Promise<Ended> {
    let isDone = false
    rows++
    try {
      const delivered = await start(run)
      isDone = delivered.isDone
      await places.giveBack(run)
      for (let count = 1; isDone && count < longestRow && !isDraining; count++) {
        const next = await starts.next(run, mayFollow)
        if (next === undefined) break
        isDone = (await start(next)).isDone
      }
      return delivered
    } finally {
      rows--
      wake({
        // A run that did not end well may be due again.
        queues: isDone ? [] : [run.queue],
        ended: [[run.queue, run.workspaceId]],
        ...(run.serial === undefined ? {} : { serials: [[run.workspaceId, run.serial]] })
      })
    }
  }

  function mayFollow (run: RunRow): boolean {
    const bound = boundOf(run.name)
    return bound !== undefined && run.v <= bound.version && run.crashes === 0 && places.mayFollow(run)
  }

  async function start (run: RunRow): Promise<Ended> {
    const startedMs = performance.now()
    const abort = new AbortController()
    metrics.started(run)
    active.set(run._id, abort)
    try {
      const ended = await attempt({ run, key: { id: run._id, fence: run.fence, claim: run.claim ?? '' } }, abort)
      metrics.ended(run, ended.cause, startedMs)
      return ended
    } finally {
      active.delete(run._id)
    }
  }

  async function attempt (started: Started, abort: AbortController): Promise<Ended> {
    const { run } = started
    const bound = boundOf(run.name)
    if (isStopping) return await outcomes.fail(started, new RunAborted('shutdown'), false)
    if (bound === undefined) {
      return await outcomes.again(
        started, 5000, { cause: 'not_ready', code: 'no_handler', message: '' }
      )
    }
    if (run.deadlineAt !== undefined && run.deadlineAt <= clock.now()) return await outcomes.expire(started)
    if (run.crashes >= maxCrashes) {
      return await outcomes.bury(
        started, { cause: 'poison', code: 'crashes', message: `killed its worker ${run.crashes} times` }
      )
    }
    let data: unknown
    try {
      data = bound.read(run.v, run.data)
    } catch (error) {
      return await outcomes.bury(started, { ...classify(error, clock.ms()), cause: 'contract' }, error)
    }
    return await handle(started, abort, bound, data)
  }

  async function handle (started: Started, abort: AbortController, bound: Bound, data: unknown): Promise<Ended> {
    const { run, key } = started
    if (bound.together !== undefined && run.starts === 1 && await finishTogether(started, data, bound.together)) {
      return { isDone: true, cause: 'done', code: '' }
    }
    const log = logOf(run)
    const timer = createTimer(bound.policy, () => { abort.abort(new RunAborted('timeout')) })
    const context = createJobContext(
      { claims, tx, clock, log, publish }, { run, key, abort, onAlive: timer.onAlive }, data)
    const settled = await settle(run, abort, async () => await bound.run(context.ctx))
    timer.stop()
    await context.settle()
    const { isCommitted, hasProgress } = context.state
    if ('error' in settled && !isCommitted) {
      return await outcomes.fail(started, settled.error, Object.keys(context.steps).length > 0)
    }
    if ('error' in settled) log.warn({ err: settled.error }, 'the handler failed after its commit, which counts')
    else if (!isCommitted) await starts.end(key, { kind: 'done', ...resultOf(settled.result, log) })
    finished(run, hasProgress)
    return { isDone: true, cause: 'done', code: '' }
  }

  function finished (run: RunRow, hasProgress: boolean): void {
    if (hasProgress || run.cause?.kind === 'request') publish(run, undefined, 'done')
    if (run.target !== undefined) wake({ queues: [], targets: [run.target] })
  }

  function logOf ({ _id, name, trace }: RunRow): Log {
    return parts.log.child?.({ run: _id, job: name, trace }) ?? parts.log
  }

  return {
    execute,
    /** Deliveries at work, each with the runs that follow in its place. */
    activeCount: () => rows,
    isActive: (id: string) => active.has(id),
    /** Nothing follows in place any more. */
    drain () { isDraining = true },
    /** From now on a claimed run goes back uncounted. */
    stop () { isStopping = true },
    abortAll () {
      for (const abort of active.values()) abort.abort(new RunAborted('shutdown'))
    }
  }
}

export type Executor = ReturnType<typeof createExecutor>

type Settled = { result: unknown } | { error: unknown }

/** Runs the handler in the context of its run; an abort of ours is the reason whatever the handler made of it. */
async function settle (run: RunRow, { signal }: AbortController, work: () => Promise<unknown>): Promise<Settled> {
  const { _id: id, trace, actor } = run
  try {
    const handled = withContext({
      cause: { kind: 'run', id }, signal, ...(
        trace === undefined ? {} : { trace }
      ), ...(actor === undefined ? {} : { actor })
    }, work)
    return { result: await Promise.race([handled, givenUp(signal, handled)]) }
  } catch (error) {
    return { error: signal.reason instanceof RunAborted ? signal.reason : error }
  }
}

function resultOf (result: unknown, log: Log): { result?: unknown } {
  if (result === undefined) return {}
  if (sizeOf(result) <= maxResultBytes) return { result }
  log.error({}, `a result over ${maxResultBytes} bytes is not kept`)
  return {}
}

/** Ends the wait for a handler that ignores its signal; the fence stops what it still writes. */
async function givenUp (signal: AbortSignal, handled: Promise<unknown>): Promise<never> {
  const isSettled = handled.then(() => true, () => true)
  const isAborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => { resolve() }, { once: true })
  })
  await Promise.race([isSettled, isAborted])
  const timer = new AbortController()
  const isLate = sleep(giveUpMs, false, { signal: timer.signal }).catch(() => false)
  if (await Promise.race([isSettled, isLate])) {
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
