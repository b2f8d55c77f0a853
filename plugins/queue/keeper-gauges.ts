import { Gauge, type Registry } from 'prom-client'

interface Keeper {
  isLeading: () => boolean
  figures: () => Array<{ queue: string, window: number, retryBudget: number }>
}

/** What the keepers of this process know; of partitions that another one has there is nothing. */
export function exposeKeepers (metrics: Registry, keepers: readonly Keeper[]): void {
  function gauge (name: string, help: string, labelNames: readonly string[], read: (gauge: Gauge) => void): void {
    metrics.registerMetric(new Gauge({
      name: `switchyard_jobs_${name}`,
      help,
      labelNames,
      registers: [],
      collect () {
        this.reset()
        read(this)
      }
    }))
  }

  function eachFigure (gauge: Gauge, of: 'window' | 'retryBudget'): void {
    for (const [partition, keeper] of keepers.entries()) {
      if (!keeper.isLeading()) continue
      for (const one of keeper.figures()) gauge.set({ queue: one.queue, partition }, one[of])
    }
  }

  gauge('keeper', '1 where this process has the partition', ['partition'], (gauge) => {
    for (const [partition, keeper] of keepers.entries()) gauge.set({ partition }, keeper.isLeading() ? 1 : 0)
  })
  gauge('window', 'Runs of a queue that may be live at once', ['queue', 'partition'], (gauge) => {
    eachFigure(gauge, 'window')
  })
  gauge('retry_budget', 'Retries that may go now', ['queue', 'partition'], (gauge) => {
    eachFigure(gauge, 'retryBudget')
  })
}
