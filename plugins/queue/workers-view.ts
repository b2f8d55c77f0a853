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
      versions = versionsOf(alive)
      const seen = JSON.stringify([[...concurrency], [...versions]])
      const isChanged = seen !== signature
      signature = seen
      return { gone, isChanged }
    },
    /** Of each living worker. */
    codeVersions: (): readonly string[] => codeVersions,
    isLiving: (id: string) => living.has(id),
    concurrencyOf: (queue: string) => concurrency.get(queue) ?? 0,
    /** Whether a worker that consumes the queue knows the name at that version. */
    canHandle: (name: string, version: number, queue: string) => (versions.get(`${queue} ${name}`) ?? -1) >= version
  }
}

export type WorkersView = ReturnType<typeof createWorkersView>

/** What one of so many keepers may count on: its part of every worker's places. */
export function ofPartition (view: WorkersView, count: number): WorkersView {
  return count === 1 ? view : { ...view, concurrencyOf: (queue) => Math.ceil(view.concurrencyOf(queue) / count) }
}

function sumQueues (rows: readonly WorkerRow[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [queue, count] of rows.flatMap((row) => Object.entries(row.queues))) {
    sums.set(queue, (sums.get(queue) ?? 0) + count)
  }
  return sums
}

/** The highest version of each name by queue: a worker knows all names, and consumes only its queues. */
function versionsOf (rows: readonly WorkerRow[]): Map<string, number> {
  const versions = new Map<string, number>()
  for (const { queues, handles } of rows) {
    for (const queue of Object.keys(queues)) {
      for (const { name, version } of handles) {
        const pair = `${queue} ${name}`
        versions.set(pair, Math.max(version, versions.get(pair) ?? 0))
      }
    }
  }
  return versions
}
