import type { WorkerRepository, WorkerRow } from '../../src/jobs/index.ts'
import type { Clock, ProcessId } from '../../src/kernel/index.ts'

const livingMs = 10_000

/** What the living workers can do, as the keeper last saw it. */
export function createWorkersView (
  { workers, clock, isGone }: { workers: WorkerRepository, clock: Clock, isGone: (process: ProcessId) => boolean }
) {
  let concurrency = new Map<string, number>()
  let versions = new Map<string, number>()
  let living = new Set<string>()
  let codeVersions: string[] = []
  let signature = ''

  return {
    /** Reads them anew; tells who is gone from this host, and whether the abilities changed. */
    async refresh (): Promise<{ gone: string[], isChanged: boolean }> {
      const rows = await workers.list()
      const gone = rows.filter(isGone).map((row) => row._id)
      const alive = rows.filter((row) => !gone.includes(row._id) && clock.ms() - row.seenAt.getTime() < livingMs)
      living = new Set(alive.map((row) => row._id))
      codeVersions = alive.map((row) => row.codeVersion)
      concurrency = sumQueues(alive)
      versions = new Map()
      for (const { name, version } of alive.flatMap((row) => row.handles)) {
        versions.set(name, Math.max(version, versions.get(name) ?? 0))
      }
      const seen = JSON.stringify([[...concurrency], [...versions]])
      const isChanged = seen !== signature
      signature = seen
      return { gone, isChanged }
    },
    /** Of each living worker. */
    codeVersions: (): readonly string[] => codeVersions,
    isLiving: (id: string) => living.has(id),
    concurrencyOf: (queue: string) => concurrency.get(queue) ?? 0,
    canHandle: (name: string, version: number) => (versions.get(name) ?? -1) >= version
  }
}

export type WorkersView = ReturnType<typeof createWorkersView>

function sumQueues (rows: readonly WorkerRow[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [queue, count] of rows.flatMap((row) => Object.entries(row.queues))) {
    sums.set(queue, (sums.get(queue) ?? 0) + count)
  }
  return sums
}
