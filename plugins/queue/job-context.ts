import {
  RunAborted, WaitSignal, dataHash, type ClaimRepository, type NeedRepository, type RunRow, type StartKey
} from '../../src/jobs/index.ts'
import {
  systemActor, type Clock, type JobContext, type JobSender, type Log, type Progress, type Session, type Tx
} from '../../src/kernel/index.ts'
import { insistOnHeld } from './insist.ts'

const progressMs = 500
export const maxResultBytes = 16 * 1024
const maxSteps = 64

interface Parts {
  claims: ClaimRepository
  needsOf: NeedRepository['statesOf']
  tx: Tx
  clock: Clock
  /** Made at its first use: most runs say nothing. */
  logOf: () => Log
  jobs: JobSender
  /** Publishes to whoever watches the run. */
  publish: (run: RunRow, progress: Progress) => void
}

export interface Start {
  run: RunRow
  key: StartKey
  abort: AbortController
  /** The handler is alive and getting on. */
  onAlive: () => void
}

/** The context of one start, and what the runtime needs to know of it afterwards. */
export function createJobContext (
  { claims, needsOf, tx, clock, logOf, jobs, publish }: Parts, start: Start, data: unknown
) {
  const { run, key, abort, onAlive } = start
  const state = { isCommitted: false, hasProgress: false }
  const progress = throttle(async (value: Progress) => {
    publish(run, value)
    if (!await claims.setProgress(key, value, clock.now())) superseded()
  }, logOf)

  function superseded (): never {
    const error = new RunAborted('superseded')
    abort.abort(error)
    throw error
  }

  async function guarded<T> (
    guard: (session: Session) => Promise<boolean>, work: (session: Session) => Promise<T>
  ): Promise<T> {
    abort.signal.throwIfAborted()
    let answer: { value: T } | undefined
    const standing = await insistOnHeld(claims, key, async () => {
      answer = await tx(async (session) => await guard(session) ? { value: await work(session) } : undefined)
      return answer !== undefined
    })
    if (answer !== undefined) return answer.value
    const error = new RunAborted(standing === 'cancelled' ? 'cancelled' : 'superseded')
    abort.abort(error)
    throw error
  }

  const ctx: JobContext = {
    run: {
      id: run._id, name: run.name, workspaceId: run.workspaceId, data, attempt: run.attempt, createdAt: run.createdAt,
      ...(run.progress === undefined ? {} : { progress: run.progress })
    },
    actor: systemActor(run.name, run.workspaceId, run.actor?.userId ?? null),
    signal: abort.signal,
    attempt: run.attempt,
    deadlineAt: run.deadlineAt ?? null,
    get log () { return logOf() },
    progress (value) {
      state.hasProgress = true
      onAlive()
      progress.push(value)
    },
    async commit (work, result) {
      if (state.isCommitted) throw new Error('a run commits once')
      checkSize('result', result)
      const answer = await guarded(async (session) => await claims.finish(session, key, result, clock.now()), work)
      state.isCommitted = true
      return answer
    },
    async checkpoint (work, value) {
      // An older progress must not land after the one of the checkpoint.
      if (value !== undefined) await progress.drop()
      const answer = await guarded(async (session) => await claims.touch(session, key, clock.now(), value), work)
      onAlive()
      if (value !== undefined) {
        state.hasProgress = true
        publish(run, value)
      }
      return answer
    },
    step: async (name, work) => await step(name, work),
    spawn: async (job, child, options = {}) => await guarded(
      async (session) => await claims.touch(session, key, clock.now()),
      async (session) => await jobs.add(session, job, child, {
        key: dataHash(child), scope: 'parent', workspaceId: run.workspaceId, ...options
      })),
    wait (until) {
      throw new WaitSignal(until instanceof Date ? until.getTime() : clock.ms() + until)
    }
  }

  const steps: NonNullable<RunRow['steps']> = { ...run.steps }

  async function step<T> (name: string, work: () => Promise<T>): Promise<T> {
    if (!/^[A-Za-z0-9_:-]{1,64}$/.test(name)) throw new Error(`not a name of a step: ${name}`)
    const done = steps[name]
    if (done !== undefined) return done.value as T
    if (Object.keys(steps).length >= maxSteps) throw new Error(`a run has at most ${maxSteps} steps`)
    abort.signal.throwIfAborted()
    const value = await work()
    checkSize(`step ${name}`, value)
    if (!await claims.setStep(key, name, value ?? null, clock.now())) superseded()
    steps[name] = { value }
    onAlive()
    return value
  }

  /** Reads how those ended that the run needs, before its handler begins; most need nobody. */
  async function prepare (): Promise<void> {
    if (run.needs !== undefined) ctx.run.needs = await needsOf(run.workspaceId, run.needs)
  }

  return { ctx, state, steps, prepare, settle: progress.settle }
}

export function sizeOf (value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value) ?? '')
}

function checkSize (what: string, value: unknown): void {
  if (sizeOf(value) > maxResultBytes) {
    throw new RangeError(`the ${what} of a run is over ${maxResultBytes} bytes`)
  }
}

/** The first value leaves at once, later ones at most two a second; `settle` sends the last one. */
function throttle (send: (value: Progress) => Promise<void>, logOf: () => Log) {
  let held: Progress | undefined
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> = Promise.resolve()

  function leave (): void {
    timer = undefined
    const value = held
    if (value === undefined) return
    held = undefined
    timer = setTimeout(leave, progressMs)
    sending = send(value).catch((err: unknown) => { logOf().debug({ err }, 'progress was not written') })
  }

  return {
    push (value: Progress): void {
      held = value
      if (timer === undefined) leave()
    },
    async drop (): Promise<void> {
      held = undefined
      await sending
    },
    async settle (): Promise<void> {
      clearTimeout(timer)
      leave()
      clearTimeout(timer)
      await sending
    }
  }
}
