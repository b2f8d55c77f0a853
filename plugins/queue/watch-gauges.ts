import { Gauge, type Registry } from 'prom-client'

/** Figures of the one process that watches. What nobody knows has no value, in this process or in any other one. */
export function createWatchGauges (metrics: Registry) {
  function gauge (name: string, help: string, labelNames: readonly string[] = []): Gauge {
    return new Gauge({ name: `switchyard_jobs_${name}`, help, labelNames, registers: [metrics] })
  }

  const gauges = {
    live: gauge('live', 'Runs that are published or at work', ['queue', 'lane']),
    held: gauge('held', 'Waiting runs that something holds', ['queue', 'lane', 'reason']),
    oldest: gauge('oldest_seconds', 'Age of the oldest due run that nothing holds', ['queue', 'lane']),
    busiest: gauge('busiest_live', 'Live runs of the ten busiest workspaces', ['workspace']),
    canaryMissed: gauge('canary_missed', '1 where the last canary was not done in two minutes', ['queue']),
    letters: gauge('letters_open', 'Dead letters that are open'),
    oldestLetter: gauge('letters_oldest_seconds', 'Age of the oldest dead letter that is open'),
    proven: gauge('backup_proven_age_seconds', 'Age of the last backup that was restored and compared'),
    backupFailed: gauge('backup_failed', '1 where the last backup that ended has failed or is damaged')
  }

  function clear (): void {
    for (const one of Object.values(gauges)) {
      one.reset()
      // One without labels is born, and born again, with a zero that nobody measured.
      one.remove({})
    }
  }

  clear()
  return { ...gauges, clear }
}
