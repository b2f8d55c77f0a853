import { Type } from 'typebox'
import {
  defineEvent, defineJob, isDomainError, queues, uuidv7,
  type Clock, type EventBus, type Queue, type Registry, type Tx
} from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { dataHash } from './keys.ts'
import { canaryName, type CanaryRepository, type CanaryRow, type RunRepository } from './repository.ts'
import { newRun } from './sender.ts'

const QueueName = Type.String({ maxLength: 32 })

/** Does nothing, in every queue that is used: that it ends proves that a due job of the queue would run. */
export const runCanary = defineJob({
  name: canaryName, queue: 'fast', data: Type.Object({ queue: QueueName }, { additionalProperties: false })
})

export const canaryFailed = defineEvent({
  name: 'jobs.canary.failed',
  data: Type.Object(
    { queue: QueueName, runId: Type.String({ maxLength: 36 }), lateMs: Type.Integer({ minimum: 0 }) },
    { additionalProperties: false })
})

/** Queues that a declared job or subscriber uses, besides the canary itself. */
export function usedQueues ({ jobs, subscribers }: Pick<Registry, 'jobs' | 'subscribers'>): Queue[] {
  const others = [...jobs.values()].filter(({ name }) => name !== runCanary.name)
  const used = new Set<string>(others.map(({ queue }) => queue))
  if (subscribers.size > 0) used.add('fast')
  return queues.filter((queue) => used.has(queue))
}

/** Shorter than the minute it is promised in, so that a loss is seen within three. */
export const canaryEveryMs = 50_000
const lateMs = 120_000
const silentMs = 180_000

/** Queues whose last canary is not done in two minutes. */
export function lateQueues (latest: readonly CanaryRow[], nowMs: number): CanaryRow[] {
  return latest.filter(({ state, createdAt }) => state !== 'done' && nowMs - createdAt.getTime() > lateMs)
}

/** Why a due job might not run, in one sentence; undefined: it would. `sinceMs`: since when there may be canaries. */
export function canaryProblem (latest: readonly CanaryRow[], nowMs: number, sinceMs: number): string | undefined {
  const late = lateQueues(latest, nowMs)
  if (late.length > 0) return `no canary of ${late.map(({ queue }) => queue).join(', ')} was done in 2 min`
  const newest = Math.max(sinceMs, ...latest.map(({ createdAt }) => createdAt.getTime()))
  return nowMs - newest > silentMs ? 'no keeper has sent a canary for 3 min' : undefined
}

interface Parts {
  canaries: CanaryRepository
  runs: RunRepository
  events: EventBus
  tx: Tx
  clock: Clock
  queues: () => readonly Queue[]
  /** Called in the transaction for each new canary. */
  onAdded: (queue: string, workspaceId: string) => void
}

/** Sends canaries and tells of those that did not come back. */
export function createCanaries ({ canaries, runs, events, tx, clock, queues, onAdded }: Parts) {
  const told = new Set<string>()

  async function send (queue: Queue): Promise<void> {
    const now = clock.now()
    await tx(async (session) => {
      const { isNew } = await runs.add(session, newRun({
        _id: uuidv7(now.getTime()),
        workspaceId: '',
        name: runCanary.name,
        v: runCanary.version,
        // Two keepers at once send one.
        key: `canary:${queue}:${Math.floor(now.getTime() / canaryEveryMs)}`,
        data: { queue },
        dataHash: dataHash({ queue }),
        queue,
        lane: runCanary.lane,
        cost: 1,
        runAt: now,
        createdAt: now
      }))
      if (isNew) onAdded(queue, '')
    })
  }

  async function tell ({ id, queue, createdAt }: CanaryRow): Promise<void> {
    if (told.has(id)) return
    try {
      await tx(async (session) => await events.emit(
        session, canaryFailed, { queue, runId: id, lateMs: clock.ms() - createdAt.getTime() },
        { type: 'canary', id, version: 1 }, { workspaceId: '' }))
    } catch (error) {
      // A keeper before this one told it.
      if (!isDomainError(error, JobsError.stale_version.definition.code)) throw error
    }
    told.add(id)
  }

  return {
    /** Whether a canary is due: the last ones are old, whoever sent them. */
    async isDue (): Promise<boolean> {
      const latest = await canaries.latest()
      return latest.length > 0 && latest.every(({ createdAt }) => clock.ms() - createdAt.getTime() >= canaryEveryMs)
    },

    /** One turn: tells what is late, sends one into every queue whose last came back, forgets old ones. */
    async turn (): Promise<void> {
      const latest = await canaries.latest()
      for (const one of lateQueues(latest, clock.ms())) await tell(one)
      const flying = new Set(latest.filter(({ isEnded }) => !isEnded).map(({ queue }) => queue))
      for (const queue of queues()) if (!flying.has(queue)) await send(queue)
      await canaries.forget(new Date(clock.ms() - 10 * canaryEveryMs))
    }
  }
}
