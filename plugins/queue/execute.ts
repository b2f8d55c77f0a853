import type { JobContext, JobSender, Log } from '../../src/kernel/index.ts'
import { RunAborted, classify, type NeedRepository, type RunPolicy, type RunRow } from '../../src/jobs/index.ts'
import { createJobContext, maxResultBytes, sizeOf } from './job-context.ts'
import type { RunPlaces } from './run-places.ts'
import type { Gate } from './gate.ts'
import { createTogether, type Together } from './together.ts'
import { createOutcomes, type Ended, type OutcomeParts, type Started } from './outcomes.ts'
import { createTimer, settle } from './settle.ts'
import type { SoloStarts } from './solo-starts.ts'

/** So many runs of one serial follow each other in one place; then others have their turn. */
const longestRow = 50
/** What is claimed ahead and finds no place for so long goes back: its handlers are slower than they were. */
const mostWaitMs = 1000

/** What a delivery gives its run. */
interface Place {
  /** Aborts when the lock of the delivery is lost. */
  lost: AbortSignal
  gate: Gate
  /** The handler did its work, and what became of it is on its way to the store. */
  onHandled: () => void
}

interface Start { abort: AbortController, onHandled: (() => void) | undefined }

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
  metrics: {
    started: (run: RunRow) => void
    ended: (run: RunRow, cause: string, startedMs: number) => void
    died: (run: RunRow, cause: string, death: { isNew: boolean }) => void
  }
  jobs: JobSender
  needsOf: NeedRepository['statesOf']
  giveUpMs: number
  /** A handler did not end although it was told to: its process is worn out. */
  onIgnored: (run: RunRow, reason: RunAborted['reason']) => void
  /** Runs that are not trusted in this process start in one of their own; absent where there is no process to fork. */
  solo?: SoloStarts
}

/** Runs claimed runs and writes what became of them. */
export function createExecutor (parts: ExecuteParts) {
  const {
    claims, needsOf, starts, tx, clock, boundOf, wake, publish, metrics, places, jobs, giveUpMs, onIgnored, solo
  } = parts
  const outcomes = createOutcomes({ ...parts, policyOf: (name) => boundOf(name)?.policy })
  const active = new Map<string, AbortController>()
  const finishTogether = createTogether(parts)
  let rows = 0
  let isDraining = false
  let isStopping = false

  /** The run of a delivery, in its place, then those that waited for its serial. */
  async function execute (run: RunRow, place: Place): Promise<Ended> {
    rows++
    let row = { delivered: undefined as Ended | undefined, isDone: false }
    try {
      if (await place.gate.enter(mostWaitMs)) row = await startRow(run, place)
      return row.delivered ?? await outcomes.giveBack(run)
    } finally {
      rows--
      wake({
        // A run that did not end well may be due again.
        queues: row.isDone ? [] : [run.queue],
        ended: [[run.queue, run.workspaceId]],
        workspaces: [run.workspaceId],
        ...(run.serial === undefined ? {} : { serials: [[run.workspaceId, run.serial]] })
      })
    }
  }

  /** Those that waited for a serial need no release, and Redis not at all. */
  async function startRow (
    run: RunRow, { lost, gate, onHandled }: Place
  ): Promise<{ delivered: Ended, isDone: boolean }> {
    const leave = leaveOnce(gate)
    // Where others follow in its place, the delivery ends with the last of them.
    const isAlone = run.serial === undefined
    try {
      const delivered = await start(run, lost, () => {
        if (!isAlone) return
        leave()
        onHandled()
      })
      let { isDone } = delivered
      await places.giveBack(run)
      for (let count = 1; isDone && count < longestRow && !isDraining && !lost.aborted; count++) {
        const next = await starts.next(run, mayFollow)
        if (next === undefined) break
        isDone = (await start(next, lost)).isDone
      }
      return { delivered, isDone }
    } finally {
      leave()
    }
  }

  function mayFollow (run: RunRow): boolean {
    const bound = boundOf(run.name)
    return bound !== undefined && run.v <= bound.version && run.crashes === 0 && places.mayFollow(run)
  }

  async function start (run: RunRow, lost?: AbortSignal, onHandled?: () => void): Promise<Ended> {
    const startedMs = performance.now()
    const abort = new AbortController()
    const onLost = (): void => { abort.abort(new RunAborted('lock_lost')) }
    lost?.addEventListener('abort', onLost)
    metrics.started(run)
    active.set(run._id, abort)
    try {
      const key = { id: run._id, fence: run.fence, claim: run.claim ?? '' }
      const ended = await attempt({ run, key }, { abort, onHandled })
      metrics.ended(run, ended.cause, startedMs)
      // Here and not where it is buried: a solo child does that, whose figures nobody reads.
      if (ended.death !== undefined) metrics.died(run, ended.cause, ended.death)
      return ended
    } finally {
      lost?.removeEventListener('abort', onLost)
      active.delete(run._id)
    }
  }

  async function attempt (started: Started, how: Start): Promise<Ended> {
    const { run } = started
    const bound = boundOf(run.name)
    if (isStopping) return await outcomes.fail(started, new RunAborted('shutdown'), false)
    if (bound === undefined) {
      return await outcomes.again(
        started, 5000, { cause: 'not_ready', code: 'no_handler', message: '' }
      )
    }
    if (run.cancel !== undefined) return await outcomes.cancel(started)
    // Another worker, of a newer version, knows what to do with it.
    if (bound.version < run.v) {
      return await outcomes.again(started, 1000, { cause: 'not_ready', code: 'newer_version', message: '' })
    }
    const overdue = await outcomes.endOverdue(started)
    if (overdue !== undefined) return overdue
    let data: unknown
    try {
      data = bound.read(run.v, run.data)
    } catch (error) {
      return await outcomes.bury(started, { ...classify(error, clock.ms()), cause: 'contract' }, error)
    }
    if (solo?.needs(run) === true) return await solo.start(started, how.abort.signal, bound, outcomes)
    return await handle(started, how, bound, data)
  }

  async function handle (
    started: Started, { abort, onHandled }: Start, bound: Bound, data: unknown
  ): Promise<Ended> {
    const { run, key } = started
    if (bound.together !== undefined && run.starts === 1 && await finishTogether(started, data, bound.together)) {
      return { isDone: true, cause: 'done', code: '' }
    }
    const logOf = once(() => logFor(run))
    const timer = createTimer(bound.policy, () => { abort.abort(new RunAborted('timeout')) })
    const context = createJobContext(
      { claims, needsOf, tx, clock, logOf, publish, jobs }, { run, key, abort, onAlive: timer.onAlive }, data)
    const settled = await settle({
      context: contextOf(run, abort.signal),
      work: async () => {
        await context.prepare()
        return await bound.run(context.ctx)
      },
      giveUpMs,
      onIgnored: (reason) => { onIgnored(run, reason) }
    })
    timer.stop()
    await context.settle()
    const { isCommitted, hasProgress } = context.state
    if ('error' in settled && !isCommitted) {
      return await outcomes.fail(started, settled.error, Object.keys(context.steps).length > 0)
    }
    if ('error' in settled) logOf().warn({ err: settled.error }, 'the handler failed after its commit, which counts')
    else {
      onHandled?.()
      if (!isCommitted) await starts.end(key, { kind: 'done', ...resultOf(settled.result, logOf) }, !isAwaited(run))
    }
    finished(run, hasProgress)
    return { isDone: true, cause: 'done', code: '' }
  }

  function finished (run: RunRow, hasProgress: boolean): void {
    if (hasProgress || run.cause?.kind === 'request') publish(run, undefined, 'done')
    if (run.target !== undefined) wake({ queues: [], targets: [run.target] })
  }

  function logFor ({ _id, name, trace }: RunRow): Log {
    return parts.log.child?.({ run: _id, job: name, trace }) ?? parts.log
  }

  return {
    execute,
    /** One start and nothing after it. */
    start,
    /** Deliveries at work, each with the runs that follow in its place. */
    activeCount: () => rows,
    isActive: (id: string) => active.has(id),
    /** Aborts a run that nobody wants any more; its commit is refused from now on. */
    cancel (id: string) { active.get(id)?.abort(new RunAborted('cancelled')) },
    /** Nothing follows in place any more. */
    drain () { isDraining = true },
    /** From now on a claimed run goes back uncounted. */
    stop () { isStopping = true },
    abortAll (reason: RunAborted['reason'] = 'shutdown') {
      for (const abort of active.values()) abort.abort(new RunAborted(reason))
    }
  }
}

export type Executor = ReturnType<typeof createExecutor>

/** Whether other runs start when it ends. */
function isAwaited ({ serial, isNeeded }: RunRow): boolean {
  return serial !== undefined || isNeeded === true
}

function contextOf ({ _id: id, attempt, trace, actor }: RunRow, signal: AbortSignal) {
  return {
    cause: { kind: 'run' as const, id },
    attempt,
    signal,
    ...(trace === undefined ? {} : { trace }),
    ...(actor === undefined ? {} : { actor })
  }
}

/** Gives the place that was just entered back, at the first call. */
function leaveOnce (gate: Gate): () => void {
  const enteredMs = performance.now()
  let isOver = false
  return () => {
    if (!isOver) gate.leave(performance.now() - enteredMs)
    isOver = true
  }
}

function once<T> (make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

function resultOf (result: unknown, logOf: () => Log): { result?: unknown } {
  if (result === undefined) return {}
  if (sizeOf(result) <= maxResultBytes) return { result }
  logOf().error({}, `a result over ${maxResultBytes} bytes is not kept`)
  return {}
}
