import { queues, type JobDefinition, type JobPolicy, type Lane, type Queue } from '../kernel/index.ts'

export type QueueGroup = 'io' | 'cpu' | 'crawl'
export type Backoff = 'net' | 'mail' | 'bug'

/** One row of the table of `jobs.md` 3.2; times in milliseconds. */
export interface QueueRhythm {
  group: QueueGroup
  concurrency: number
  timeoutMs: number
  /** The timeout starts anew whenever the handler tells progress. */
  isIdleTimeout?: boolean
  attempts: number
  backoff: Backoff
  lockMs: number
  stallMs: number
}

const io = { group: 'io', lockMs: 10_000, stallMs: 5000 } as const
const cpu = { group: 'cpu', lockMs: 40_000, stallMs: 15_000 } as const

export const rhythms: Record<Queue, QueueRhythm> = {
  fast: { ...io, concurrency: 50, timeoutMs: 30_000, attempts: 6, backoff: 'net' },
  mail: { ...io, concurrency: 20, timeoutMs: 60_000, attempts: 8, backoff: 'mail' },
  notify: { ...io, concurrency: 50, timeoutMs: 30_000, attempts: 6, backoff: 'net' },
  webhook: { ...io, concurrency: 50, timeoutMs: 30_000, attempts: 8, backoff: 'net' },
  publish: { ...io, concurrency: 20, timeoutMs: 120_000, attempts: 4, backoff: 'net' },
  crawl: { ...io, group: 'crawl', concurrency: 4, timeoutMs: 120_000, attempts: 4, backoff: 'net' },
  download: { ...io, concurrency: 4, timeoutMs: 60_000, isIdleTimeout: true, attempts: 20, backoff: 'net' },
  image: { ...cpu, concurrency: 2, timeoutMs: 120_000, attempts: 2, backoff: 'bug' },
  video: { ...cpu, concurrency: 1, timeoutMs: 1_800_000, attempts: 2, backoff: 'bug' },
  bulk: { ...cpu, concurrency: 2, timeoutMs: 1_800_000, attempts: 3, backoff: 'net' },
  report: { ...cpu, concurrency: 1, timeoutMs: 900_000, attempts: 2, backoff: 'bug' },
  upkeep: { ...io, concurrency: 2, timeoutMs: 3_600_000, attempts: 3, backoff: 'net' }
}

/** Queues that a process consumes; a group decides that and nothing else. */
export function queuesOf (groups: readonly string[]): Queue[] {
  return queues.filter((queue) => groups.includes(rhythms[queue].group))
}

/** What runs of a name follow: the job's own policy over the rhythm of its queue. */
export interface RunPolicy extends Required<Omit<JobPolicy, 'maxAgeMs'>> {
  maxAgeMs?: number
  isIdleTimeout: boolean
}

export function policyOf ({ queue, policy }: Pick<JobDefinition, 'queue' | 'policy'>): RunPolicy {
  const { attempts, backoff, timeoutMs, isIdleTimeout = false } = rhythms[queue]
  return { attempts, backoff, timeoutMs, isIdleTimeout, ...policy }
}

/** Priority of a delivery: none goes first. */
export const priorityOf: Record<Lane, number> = { interactive: 0, default: 5, bulk: 10 }
