// Part files that nobody will go on with (`jobs.md` 4.10, `fetch.sweep-parts`).
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../kernel/index.ts'
import type { DownloadRepository, DownloadRow } from './repository.ts'
import { partsFolder } from './transfer.ts'

export interface SweepOptions {
  downloads: DownloadRepository
  scratchDir: string
  host: string
  clock: Clock
}

/** Somebody may be about to open a file of a download that has just been asked for. */
const youngMs = 10 * 60_000
const pageSize = 500

/** Removes the parts of downloads that have ended or gone on elsewhere, on this machine; answers how many. */
export function createSweep ({ downloads, scratchDir, host, clock }: SweepOptions) {
  const folder = partsFolder(scratchDir)

  async function isOld (name: string): Promise<boolean> {
    const found = await stat(join(folder, name)).catch(() => undefined)
    return found !== undefined && clock.ms() - found.mtimeMs > youngMs
  }

  return async (signal: AbortSignal): Promise<number> => {
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.includes('.'))
    let removed = 0
    for (let at = 0; at < names.length; at += pageSize) {
      signal.throwIfAborted()
      const page = names.slice(at, at + pageSize)
      const rows = await downloads.active([...new Set(page.map(idOf))])
      const needed = new Set(rows.filter((row) => isHere(row, host)).map(({ _id }) => _id))
      for (const name of page) {
        if (needed.has(idOf(name)) || !await isOld(name)) continue
        await rm(join(folder, name), { force: true })
        removed++
      }
    }
    return removed
  }
}

function idOf (name: string): string {
  return name.slice(0, name.lastIndexOf('.'))
}

/** A transfer that has not noted a machine yet may be at its first words on this one. */
function isHere ({ part }: DownloadRow, host: string): boolean {
  return part === null || part.host === host
}
