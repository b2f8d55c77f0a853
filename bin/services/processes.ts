// A pid alone names nobody: it comes back. With the start time it does.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProcessMark { name: string, pid: number, start: string }

/** When the process started, as text that is only good for comparison; undefined where no such process runs. */
export function startOf (pid: number): string | undefined {
  return process.platform === 'linux' ? startFromProc(pid) : startFromPs(pid)
}

function startFromProc (pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? undefined : rest[18]
  } catch {
    return undefined
  }
}

function startFromPs (pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}

export function markOf (name: string, pid: number): ProcessMark {
  return { name, pid, start: startOf(pid) ?? '' }
}

export function isRunning ({ pid, start }: ProcessMark): boolean {
  return startOf(pid) === start
}

/** Ends processes by TERM, and by KILL what still runs after `graceMs`. */
export async function endProcesses (marks: ProcessMark[], graceMs = 10_000): Promise<void> {
  for (const mark of marks) signal(mark, 'SIGTERM')
  const deadline = performance.now() + graceMs
  while (marks.some(isRunning) && performance.now() < deadline) await sleep(50)
  for (const mark of marks) signal(mark, 'SIGKILL')
  while (marks.some(isRunning)) await sleep(20)
}

function signal (mark: ProcessMark, name: NodeJS.Signals): void {
  if (!isRunning(mark)) return
  try {
    process.kill(mark.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
