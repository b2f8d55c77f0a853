import type { WorkerRepository, WorkerRow } from '../../src/jobs/index.ts'
import type { Clock, ProcessId } from '../../src/kernel/index.ts'

/** Who knows a name, and at which version. */
interface Ability { worker: string, version: number }

const livingMs = 10_000

/** What the living workers can do, as the keeper last saw it. */
export function createWorkersView (
  { workers, clock, isGone }: { workers: WorkerRepository, clock: Clock, isGone: (process: ProcessId) => boolean }
) {
  let concurrency = new Map<string, number>()
  let abilities = new Map<string, Ability[]>()
  let living = new Set<string>()
  let codeVersions: string[] = []
  let turn = 0
  let signature = ''

  const knowing = (name: string, queue: string): readonly Ability[] => abilities.get(`${queue} ${name}`) ?? []

  return {
    /** Reads them anew; tells who is gone from this host, and whether the abilities changed. */
    async refresh (): Promise<{ gone: string[], isChanged: boolean }> {
      const rows = await workers.list()
      const gone = rows.filter(isGone).map((row) => row._id)
      const alive = rows.filter((row) => !gone.includes(row._id) && clock.ms() - row.seenAt.getTime() < livingMs)
      living = new Set(alive.map((row) => row._id))
      codeVersions = alive.map((row) => row.codeVersion)
      concurrency = sumQueues(alive)
      abilities = abilitiesOf(alive)
      const seen = JSON.stringify([[...concurrency], [...abilities].map(([pair, those]) => [pair, highest(those)])])
      const isChanged = seen !== signature
      signature = seen
      return { gone, isChanged }
    },
    /** Of each living worker. */
    codeVersions: (): readonly string[] => codeVersions,
    isLiving: (id: string) => living.has(id),
    concurrencyOf: (queue: string) => concurrency.get(queue) ?? 0,
    /** Whether a worker that consumes the queue knows the name at that version. */
    canHandle: (name: string, v: number, queue: string) => knowing(name, queue).some(({ version }) => version >= v),
    /** One of those workers, at every call the next. */
    nextFor ({ name, v, queue }: { name: string, v: number, queue: string }): string | undefined {
      const those = knowing(name, queue).filter(({ version }) => version >= v)
      return those[turn++ % those.length]?.worker
    }
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

/** Who knows each name, by queue: a worker knows all names, and consumes only its queues. */
function abilitiesOf (rows: readonly WorkerRow[]): Map<string, Ability[]> {
  const abilities = new Map<string, Ability[]>()
  for (const { _id: worker, queues, handles } of rows) {
    for (const queue of Object.keys(queues)) {
      for (const { name, version } of handles) {
        const pair = `${queue} ${name}`
        const those = abilities.get(pair)
        if (those === undefined) abilities.set(pair, [{ worker, version }])
        else those.push({ worker, version })
      }
    }
  }
  return abilities
}

const highest = (abilities: readonly Ability[]): number => Math.max(...abilities.map(({ version }) => version))
