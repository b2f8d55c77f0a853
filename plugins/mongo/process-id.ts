import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { ProcessId } from '../../src/kernel/index.ts'

/** The host with its boot and its process namespace: a pid means nothing outside them. */
export function hostId (): string {
  const boot = tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  const namespace = tryRead(() => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0])
  return [hostname(), boot ?? 'boot', namespace ?? 'pids'].join('/')
}

/** Start of a process in clock ticks since boot, 0 where the system does not tell; undefined: no such process. */
export function startOf (pid: number): number | undefined {
  try {
    // The name in parentheses may hold spaces; the start is the 22nd field, the 20th after it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19])
  } catch (error) {
    if (process.platform === 'linux') return undefined
    return isRunning(pid, error) ? 0 : undefined
  }
}

/** Whether a process of this host is certainly gone; false for other hosts, of which nothing is known here. */
export function isGone ({ host, pid, startedAt }: ProcessId, here: string): boolean {
  return host === here && startOf(pid) !== startedAt
}

export function thisProcess (host: string): ProcessId {
  return { host, pid: process.pid, startedAt: startOf(process.pid) ?? 0 }
}

function isRunning (pid: number, cause: unknown): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return true
    throw new Error(`cannot look at process ${pid}`, { cause })
  }
}

function tryRead<T> (read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
