import { LiveError, lanes, queues, type Actor, type Clock, type Lane, type Queue } from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import type { PauseRepository, QueueRepository, QueuesSeen } from './repository.ts'
import type { QueueOut } from './schemas.ts'

interface Collaborators {
  pauses: PauseRepository
  views: QueueRepository
  clock: Clock
  /** Has the relay look at the pauses and at a queue. */
  onChanged: (queue: Queue) => void
}

export type QueueControl = ReturnType<typeof createQueueControl>

const livingMs = 10_000

/** How the queues stand, and pausing them (`jobs.md` 3.3); for operators of the installation. */
export function createQueueControl ({ pauses, views, clock, onChanged }: Collaborators) {
  function stand (queue: Queue, { standings, live, workers, pauses: paused }: QueuesSeen): QueueOut {
    const nowMs = clock.ms()
    const standing = standings.filter((one) => one.queue === queue)
    const due = standing.map(({ runAt }) => runAt.getTime()).filter((atMs) => atMs <= nowMs)
    const here = workers.filter((worker) => isLiving(worker) && (worker.queues[queue] ?? 0) > 0)
    const mine = paused.filter((pause) => pause.queue === queue)
    const whole = mine.find(({ workspaceId }) => workspaceId === null)
    const waitingIn = (lane: Lane): number => standing.find((one) => one.lane === lane)?.count ?? 0
    return {
      queue,
      waiting: Object.fromEntries(lanes.map((lane) => [lane, waitingIn(lane)])) as Record<Lane, number>,
      live: live.get(queue) ?? 0,
      oldestAgeMs: due.length === 0 ? null : nowMs - Math.min(...due),
      startsPerMin: Math.round(60 * sum(here, (worker) => worker.rates?.[queue]?.startsPerS ?? 0)),
      workers: here.length,
      concurrency: sum(here, (worker) => worker.queues[queue] ?? 0),
      isPaused: whole !== undefined,
      pause: whole === undefined ? null : { reason: whole.reason, by: whole.by, at: whole.at.toISOString() },
      pausedWorkspaces: mine.flatMap(({ workspaceId }) => workspaceId ?? []).slice(0, 1000)
    }
  }

  function isLiving ({ seenAt }: { seenAt: Date }): boolean {
    return clock.ms() - seenAt.getTime() < livingMs
  }

  return {
    async list (of: readonly Queue[] = queues): Promise<QueueOut[]> {
      const seen = await views.look(of)
      return of.map((queue) => stand(queue, seen))
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
      return stand(queue, await views.look([queue]))
    },

    async resume (name: string, { workspaceId = null }: { workspaceId?: string | null }): Promise<QueueOut> {
      const queue = queueOf(name)
      await pauses.resume(idOf(queue, workspaceId))
      onChanged(queue)
      return stand(queue, await views.look([queue]))
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
