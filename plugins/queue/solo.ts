import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { RunAborted, type StartKey } from '../../src/jobs/index.ts'
import type { Log } from '../../src/kernel/index.ts'
import type { Ended } from './outcomes.ts'
import type { OwnProcess } from './own-process.ts'

/** So many solo children of one worker at once: each is a whole app. */
const mostChildren = 2
/** More than so many give their run back: they would keep places of the queue from others. */
const mostWaiting = 4
const bootMs = 60_000
const lookMs = 500
const pageBytes = 4096
/** Its boot, and what it may eat, take turns behind the workers. */
const nice = 10

export type ToChild = { say: 'start', key: StartKey } | { say: 'abort', reason: RunAborted['reason'] }
export type FromChild = { say: 'ready' } | { say: 'beat' } | { say: 'ended', ended: Ended }

export type SoloEnd =
  | { kind: 'ended', ended: Ended }
  /** The run killed the process that worked on it alone; how it died. */
  | { kind: 'died', code: string }
  /** It never came to work on the run, which is no fault of it. */
  | { kind: 'absent', reason: string }

interface Parts {
  own: OwnProcess
  memoryMb: number
  /** How long its event loop may stand still. */
  loopMs: number
  log: Log
}

interface Wanted { key: StartKey, signal: AbortSignal, timeoutMs: number }

/** Starts of runs in a forked child of their own: the same bindings, one run, a limit of memory and time. */
export function createSolo ({ own, memoryMb, loopMs, log }: Parts) {
  const waiting: Array<() => void> = []
  let children = 0

  function launch (): ChildProcess {
    const { file, args = [] } = own
    const child = fork(file, [...args, '--solo'], {
      execArgv: [...process.execArgv, `--max-old-space-size=${memoryMb}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    yieldToOthers(child)
    return child
  }

  async function place (signal: AbortSignal): Promise<boolean> {
    if (children < mostChildren) {
      children++
      return true
    }
    return await new Promise((resolve) => {
      const turn = (): void => {
        signal.removeEventListener('abort', leave)
        resolve(true)
      }
      const leave = (): void => {
        waiting.splice(waiting.indexOf(turn), 1)
        resolve(false)
      }
      signal.addEventListener('abort', leave, { once: true })
      waiting.push(turn)
    })
  }

  function leavePlace (): void {
    const next = waiting.shift()
    if (next === undefined) children--
    else next()
  }

  return {
    /** Works on the run of this start alone. An abort is handed on. */
    async run (wanted: Wanted): Promise<SoloEnd> {
      if (waiting.length >= mostWaiting) return { kind: 'absent', reason: 'others wait for the same' }
      if (!await place(wanted.signal)) throw wanted.signal.reason
      try {
        wanted.signal.throwIfAborted()
        log.info({ run: wanted.key.id }, 'a run starts in a process of its own')
        return await watch(launch(), wanted, { memoryMb, loopMs })
      } finally {
        leavePlace()
      }
    }
  }
}

export type Solo = ReturnType<typeof createSolo>

/** At once: the threads that collect garbage for it are not born yet, and have the priority of who bears them. */
function yieldToOthers ({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, nice)
  } catch {
    // It is gone already, and its end says so; or its worker comes last as well.
  }
}

/** Follows a child to its end, and makes that come where it does not. */
async function watch (
  child: ChildProcess, { key, signal, timeoutMs }: Wanted, { memoryMb, loopMs }: { memoryMb: number, loopMs: number }
): Promise<SoloEnd> {
  const state: Seen & { killedFor?: string } =
    { isReady: false, beatMs: performance.now(), startedMs: performance.now(), bytesBefore: 0 }
  const tell = (message: ToChild): void => { if (child.connected) child.send(message, () => undefined) }
  const abort = (): void => {
    if (signal.reason instanceof RunAborted) tell({ say: 'abort', reason: signal.reason.reason })
  }
  child.on('message', (message: FromChild) => {
    if (state.ended === undefined) state.beatMs = performance.now()
    if (message.say === 'ended') state.ended = message.ended
    if (message.say !== 'ready') return
    state.isReady = true
    state.startedMs = performance.now()
    state.bytesBefore = memoryOf(child.pid)
    tell({ say: 'start', key })
    if (signal.aborted) abort()
  })
  signal.addEventListener('abort', abort)
  const look = setInterval(() => {
    const reason = reasonToKill(state, { timeoutMs, loopMs, memoryMb, pid: child.pid })
    if (reason === undefined) return
    state.killedFor ??= reason
    child.kill('SIGKILL')
  }, lookMs)
  try {
    const how = await endOf(child)
    if (state.ended !== undefined) return { kind: 'ended', ended: state.ended }
    return state.isReady ? { kind: 'died', code: state.killedFor ?? how } : { kind: 'absent', reason: how }
  } finally {
    clearInterval(look)
    signal.removeEventListener('abort', abort)
  }
}

interface Seen {
  isReady: boolean
  beatMs: number
  startedMs: number
  /** What the app took before it worked on the run. */
  bytesBefore: number
  ended?: Ended
}

/** Why a child must end now; it aborts its handler itself as long as its event loop turns. */
function reasonToKill (
  { isReady, beatMs, startedMs, bytesBefore, ended }: Seen,
  { timeoutMs, loopMs, memoryMb, pid }: { timeoutMs: number, loopMs: number, memoryMb: number, pid: number | undefined }
): string | undefined {
  const nowMs = performance.now()
  if (!isReady) return nowMs - startedMs > bootMs ? 'boot' : undefined
  if (ended !== undefined) return nowMs - beatMs > loopMs ? 'no_end' : undefined
  if (nowMs - beatMs > loopMs) return 'no_turn'
  if (nowMs - startedMs > timeoutMs) return 'no_end'
  return memoryOf(pid) - bytesBefore > memoryMb * 1024 * 1024 ? 'memory' : undefined
}

/** Resident memory of a process in bytes; 0 where the system does not tell. */
function memoryOf (pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageBytes
  } catch {
    return 0
  }
}

async function endOf (child: ChildProcess): Promise<string> {
  return await new Promise((resolve) => {
    child.once('error', (error) => { resolve(error.message) })
    child.once('exit', (code, signal) => { resolve(signal ?? `exit_${code}`) })
  })
}
