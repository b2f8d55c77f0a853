import { giveUpMs } from './settle.ts'

/** What a worker may do with its process, when the process is its own and not the one of a test. */
export interface OwnProcess {
  /** The module that a solo child runs, with `--solo` behind these arguments. */
  file: string
  args?: readonly string[]
  /** Closes the app in good order and ends with an error, so that a supervisor starts another one. */
  replace: (reason: string) => void
}

/** Times and sizes of the runtime; tests shorten them. */
export interface RuntimeLimits {
  /** How long runs at work are waited for when the process ends. */
  shutdownMs: number
  /** How long an aborted handler is waited for. */
  giveUpMs: number
  /** How long the event loop may stand still; by default 30 s, and 90 s with queues of the processor. */
  loopMs?: number
  /** Memory of a solo child, in MiB. */
  soloMb: number
}

export const runtimeLimits: RuntimeLimits = { shutdownMs: 20_000, giveUpMs, soloMb: 1024 }

/** The limit for a process that consumes these groups. */
export function loopLimitMs ({ loopMs }: RuntimeLimits, groups: readonly string[]): number {
  return loopMs ?? (groups.includes('cpu') ? 90_000 : 30_000)
}
