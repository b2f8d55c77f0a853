import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

export interface LogFile { name: string, bytes: number, modifiedMs: number }
export interface LogLimits { mostAgeMs: number, mostBytes: number }

/** `app.log.1`, `app.log.2026-11-25`, `app-20261125.log.gz`: what a rotation left. The file in use is `app.log`. */
const rotated = /\.log[.-][A-Za-z0-9.-]+$|[.-][0-9]{4,}(?:[.-][0-9]+)*\.log(?:\.gz)?$/

export function isRotated (name: string): boolean {
  return rotated.test(name)
}

/** Rotated files that go: those that are too old, then the oldest until the rest fits. Pure. */
export function oldLogs (files: readonly LogFile[], nowMs: number, { mostAgeMs, mostBytes }: LogLimits): LogFile[] {
  const newestFirst = files.filter(({ name }) => isRotated(name)).toSorted((a, b) => b.modifiedMs - a.modifiedMs)
  let bytes = 0
  return newestFirst.filter((file) => {
    if (nowMs - file.modifiedMs > mostAgeMs) return true
    bytes += file.bytes
    return bytes > mostBytes
  })
}

/** Files of the folder itself; nothing below it, no links. */
export async function readLogs (dir: string): Promise<LogFile[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && isRotated(entry.name))
  return await Promise.all(files.map(async ({ name }) => {
    const { size, mtimeMs } = await stat(join(dir, name))
    return { name, bytes: size, modifiedMs: mtimeMs }
  }))
}

export async function removeLogs (dir: string, files: readonly LogFile[]): Promise<void> {
  for (const { name } of files) await rm(join(dir, name), { force: true })
}
