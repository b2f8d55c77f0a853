// One owner for a data folder: pids with their start times, so that a lock left by a crash is told from a live one.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcesses, isRunning, markOf, type ProcessMark } from './processes.ts'

export interface LockNote { owner: ProcessMark, ports: Record<string, number>, parts: ProcessMark[] }

export interface FolderLock {
  /** Ports that were used in this folder the last time. */
  ports: Record<string, number>
  /** Writes down what runs, so that the next start can end what a crash leaves. */
  note: (change: { ports?: Record<string, number>, parts?: ProcessMark[] }) => void
  release: () => void
}

/** Takes the folder (made with mode 0700). Throws one sentence that says which process has it. */
export async function lockFolder (dir: string, name: string): Promise<FolderLock> {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const file = join(dir, 'lock.json')
  const portsFile = join(dir, 'ports.json')
  const ports = readJson<Record<string, number>>(portsFile) ?? {}
  let held: LockNote = { owner: markOf(name, process.pid), ports, parts: [] }
  await take(dir, file, held)

  return {
    ports,
    note (change) {
      held = { ...held, ...change }
      replaceJson(file, held)
      if (change.ports !== undefined) replaceJson(portsFile, change.ports)
    },
    release () { rmSync(file, { force: true }) }
  }
}

async function take (dir: string, file: string, own: LockNote): Promise<void> {
  const draft = `${file}.${process.pid}`
  for (;;) {
    const found = readJson<LockNote>(file)
    if (found !== undefined) await clear(dir, file, found)
    writeFileSync(draft, JSON.stringify(own), { mode: 0o600 })
    const isMine = link(draft, file)
    rmSync(draft, { force: true })
    if (!isMine) continue
    // Two starts may have cleared the same dead lock: the later one wins, and the earlier one sees it here.
    if (found !== undefined) await sleep(100)
    if (readJson<LockNote>(file)?.owner.pid === process.pid) return
  }
}

async function clear (dir: string, file: string, found: LockNote): Promise<void> {
  const { owner, ports, parts } = found
  if (isRunning(owner)) {
    const where = Object.entries(ports).map(([part, port]) => `${part} on port ${port}`).join(', ')
    throw new Error(`${dir} is in use by ${owner.name}, process ${owner.pid}${where && ` (${where})`}: ` +
      'stop that one first, or set DATA_DIR to another folder.')
  }
  await endProcesses(parts)
  rmSync(file, { force: true })
}

function link (from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function readJson<T> (file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

function replaceJson (file: string, value: unknown): void {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(value), { mode: 0o600 })
  renameSync(draft, file)
}
