import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Bindings } from './bindings.ts'
import { bullConnection } from './connection.ts'
import { createHandover } from './handover.ts'
import type { Keepers } from './keepers.ts'
import type { LeaseLoop } from './leading.ts'
import type { createLeases } from './leases.ts'
import type { QueueMetrics } from './metrics.ts'
import type { OwnProcess, RuntimeLimits } from './own-process.ts'
import type { Partitions } from './partitions.ts'
import type { Waker } from './wake.ts'

interface Parts {
  groups: readonly string[]
  bindings: Bindings
  partitions: Partitions
  codeVersion: string
  waker: Waker
  metrics: QueueMetrics
  limits: RuntimeLimits
  own: OwnProcess | undefined
  leases: ReturnType<typeof createLeases>
  /** The loop of schedules. */
  ticker: LeaseLoop
}

/** What takes work from Redis, and what brings it there. */
export interface Consuming {
  keepers?: Keepers
  start (): Promise<void>
  close (): Promise<void>
}

export const noConsuming: Consuming = { start: async () => undefined, close: async () => undefined }

/** The consuming half of a worker. Only a process that consumes loads BullMQ. */
export async function buildConsuming (app: FastifyInstance, parts: Parts): Promise<Consuming> {
  const { groups, waker, leases, ticker, ...others } = parts
  const [{ createRuntime }, { buildKeepers }, { createWatch, watchLease }] = await Promise.all([
    import('./runtime.ts'), import('./keepers.ts'), import('./watching.ts')
  ])
  const connection = bullConnection(app.redis, () => {
    runtime.redisCameBack()
    keepers?.redisCameBack()
  })
  const runtime = createRuntime(app, { ...others, groups, connection, wake: waker.send })
  const handover = createHandover(app.bus, app.processes.id, runtime.startBeyond)
  const keepers = groups.includes('keeper')
    ? buildKeepers(app, { ...others, connection, hand: handover.send, wake: waker.send })
    : undefined
  keepers?.compete(leases.port, ticker)
  if (keepers !== undefined) leases.port.hold(watchLease, createWatch(app, waker.onAdded))

  return {
    ...(keepers && { keepers }),
    start: runtime.start,
    async close () {
      handover.close()
      await runtime.drain()
      const closing = leases.close()
      // A keeper that waits for a Redis that is away: what it wanted to add stands in the store.
      await Promise.race([closing, sleep(3000, undefined, { ref: false })])
      await keepers?.close()
      connection.disconnect()
      await closing
    }
  }
}
