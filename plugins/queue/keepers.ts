import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import type { Leases } from '../../src/kernel/index.ts'
import type { Handover } from './handover.ts'
import { exposeKeepers } from './keeper-gauges.ts'
import { buildKeeper, keeperLease } from './keeping.ts'
import { leadTogether, type LeaseLoop } from './leading.ts'
import type { QueueMetrics } from './metrics.ts'
import type { Partitions } from './partitions.ts'
import { onWake, onWorkers, type Wake } from './wake.ts'

interface Parts {
  connection: Redis
  partitions: Partitions
  metrics: QueueMetrics
  hand: (handed: Handover) => void
  wake: (wake: Wake) => void
}

/** A candidate for the keeper of every partition; one process may become several of them. */
export function buildKeepers (app: FastifyInstance, parts: Parts) {
  const keepers = Array.from({ length: parts.partitions.count }, (_, partition) =>
    buildKeeper(app, { ...parts, partition }))
  exposeKeepers(app.metrics, keepers)
  const offWake = onWake(app.bus, (wake) => {
    for (const partition of wake.partitions ?? keepers.keys()) tell(partition, wake)
  })
  const offWorkers = onWorkers(app.bus, () => {
    for (const keeper of keepers) if (keeper.isLeading()) keeper.workersChanged()
  })

  /** False where another process has that partition. */
  function tell (partition: number, wake: Wake): boolean {
    const keeper = keepers[partition]
    if (keeper?.isLeading() !== true) return false
    keeper.wake(wake)
    return true
  }

  return {
    tell,
    /** `chief`: what one process of the installation does beside the keeper of the first partition. */
    compete (leases: Leases, chief: LeaseLoop): void {
      for (const [partition, keeper] of keepers.entries()) {
        leases.hold(keeperLease(partition), partition === 0 ? leadTogether(keeper.lead, chief) : keeper.lead)
      }
    },
    redisCameBack (): void { for (const keeper of keepers) keeper.redisCameBack() },
    async close (): Promise<void> {
      offWake()
      offWorkers()
      await Promise.all(keepers.map(async (keeper) => { await keeper.close() }))
    }
  }
}

export type Keepers = ReturnType<typeof buildKeepers>
