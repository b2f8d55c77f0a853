import { LiveError, lanes, queues, type Actor, type Clock, type Lane, type Queue } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import type { Pause, PauseRepository, RelayRepository, WorkerRepository, WorkerRow } from './repository.ts'
import type { QueueOut } from './schemas.ts'

interface Collaborators {
  pauses: PauseRepository
  runs: RelayRepository
  workers: WorkerRepository
  clock: Clock
  /** Has the relay look at the pauses and at a queue. */
  onChanged: (queue: Queue) => void
}

export type QueueControl = ReturnType<typeof createQueueControl>

const livingMs = 10_000

/** How the queues stand, and pausing them (`jobs.md` 3.3); for operators of the installation. */
export function createQueueControl ({ pauses, runs, workers, clock, onChanged }: Collaborators) {
  interface Seen {
    /** Nothing waits, in no queue. */
    isIdle: boolean
    live: ReadonlyMap<string, number>
    living: readonly WorkerRow[]
    paused: readonly Pause[]
  }

  async function stand (queue: Queue, { isIdle, live, living, paused }: Seen): Promise<QueueOut> {
    const nowMs = clock.ms()
    const standing = isIdle ? [] : await Promise.all(lanes.map(async (lane) => await pauses.standing(queue, lane)))
    const due = standing.flatMap(({ oldest }) => oldest === null || oldest.getTime() > nowMs ? [] : [oldest.getTime()])
    const here = living.filter((worker) => (worker.queues[queue] ?? 0) > 0)
    const mine = paused.filter((pause) => pause.queue === queue)
    return {
      queue,
      waiting: Object.fromEntries(lanes.map((lane, i) => [lane, standing[i]?.count ?? 0])) as Record<Lane, number>,
      live: live.get(queue) ?? 0,
      oldestAgeMs: due.length === 0 ? null : nowMs - Math.min(...due),
      startsPerMin: Math.round(60 * sum(here, (worker) => worker.rates?.[queue]?.startsPerS ?? 0)),
      workers: here.length,
      concurrency: sum(here, (worker) => worker.queues[queue] ?? 0),
      isPaused: mine.some(({ workspaceId }) => workspaceId === null),
      pausedWorkspaces: mine.flatMap(({ workspaceId }) => workspaceId ?? []).slice(0, 1000)
    }
  }

  async function look (): Promise<Seen> {
    const [live, seen, paused, isIdle] = await Promise.all([
      runs.live(), workers.list(), pauses.list(), pauses.isIdle()
    ])
    return { isIdle, live, living: seen.filter(({ seenAt }) => clock.ms() - seenAt.getTime() < livingMs), paused }
  }

  return {
    async list (of: readonly Queue[] = queues): Promise<QueueOut[]> {
      const seen = await look()
      return await Promise.all(of.map(async (queue) => await stand(queue, seen)))
    },

    /** Who may watch a queue. Throws `live.permission_denied`, `queue_unknown`. */
    access (actor: Actor, name: string): Queue {
      if (!actor.can('jobs:queue:read')) throw LiveError.permission_denied()
      return queueOf(name)
    },

    /** Starts nothing of the queue, or of one workspace in it, until it is resumed. Throws `queue_unknown`. */
    async pause (
      actor: Actor, name: string, { workspaceId = null, reason = '' }: { workspaceId?: string | null, reason?: string }
    ): Promise<QueueOut> {
      const queue = queueOf(name)
      await pauses.pause({ _id: idOf(queue, workspaceId), queue, workspaceId, by: actor.id, reason, at: clock.now() })
      onChanged(queue)
      return await stand(queue, await look())
    },

    async resume (name: string, { workspaceId = null }: { workspaceId?: string | null }): Promise<QueueOut> {
      const queue = queueOf(name)
      await pauses.resume(idOf(queue, workspaceId))
      onChanged(queue)
      return await stand(queue, await look())
    }
  }
}

function idOf (queue: Queue, workspaceId: string | null): string {
  return workspaceId === null ? queue : `${queue} ${workspaceId}`
}

function queueOf (name: string): Queue {
  const queue = queues.find((one) => one === name)
  if (queue === undefined) throw JobsError.queue_unknown({ queue: name })
  return queue
}

function sum<T> (list: readonly T[], of: (one: T) => number): number {
  return list.reduce((total, one) => total + of(one), 0)
}
