import { Counter, type Registry } from 'prom-client'
import type { Cause, RunRow } from '../../src/jobs/index.ts'

/** Classes in which runs usually die: their counters stand at zero before the first of them does. */
const deadly: readonly Cause[] = ['transient', 'timeout', 'bug', 'permanent', 'contract', 'poison']

/** Runs that died, not starts that failed: a retry that succeeds later is none of them (`jobs.md` 4.5). */
export function createDeathMetrics (metrics: Registry) {
  const dead = new Counter({
    name: 'switchyard_jobs_dead_total',
    help: 'Runs that got a dead letter, by the class of their last start',
    labelNames: ['queue', 'class'],
    registers: [metrics]
  })
  const groups = new Counter({
    name: 'switchyard_jobs_letter_groups_total',
    help: 'Dead letters of whose fingerprint no other was open',
    registers: [metrics]
  })
  const known = new Set<string>()

  return {
    /** Prometheus sees no rise in a counter that begins with its first count. */
    expect (queue: string): void {
      if (known.has(queue)) return
      known.add(queue)
      for (const cause of deadly) dead.inc({ queue, class: cause }, 0)
    },
    died ({ queue }: Pick<RunRow, 'queue'>, cause: string, { isNew }: { isNew: boolean }): void {
      dead.inc({ queue, class: cause })
      if (isNew) groups.inc()
    }
  }
}
