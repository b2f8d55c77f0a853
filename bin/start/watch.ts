import { readdirSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import type { Say } from '../services/program.ts'
import type { Supervisor } from './supervisor.ts'

const root = join(import.meta.dirname, '../..')
const watched = ['src', 'plugins', 'routes', 'workers']
const quietMs = 200

/** Restarts server and workers when a source changes. One watcher for each folder: editors replace files. */
export function watchSources (supervisor: Supervisor, say: Say): { close: () => void } {
  let timer: NodeJS.Timeout | undefined
  function changed (): void {
    clearTimeout(timer)
    timer = setTimeout(() => { restartAll(supervisor, say) }, quietMs)
  }
  const watchers: FSWatcher[] = watched.flatMap(foldersBelow).map((folder) => watch(folder, changed))
  return {
    close () {
      clearTimeout(timer)
      for (const watcher of watchers) watcher.close()
    }
  }
}

function restartAll (supervisor: Supervisor, say: Say): void {
  say('A source changed: restarting server and workers.')
  for (const name of supervisor.names('process')) {
    supervisor.restart(name).catch((error: unknown) => { say((error as Error).message) })
  }
}

function foldersBelow (name: string): string[] {
  const top = join(root, name)
  const below = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isDirectory())
  return [top, ...below.map((entry) => join(entry.parentPath, entry.name))]
}
