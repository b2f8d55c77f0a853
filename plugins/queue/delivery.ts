import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { deliveryId, priorityOf, type Delivery } from '../../src/jobs/index.ts'
import type { Partitions } from './partitions.ts'

const kept = { age: 3600, count: 1000 }
const most = 500

/** Hands runs to Redis: id and release, nothing else. Waits for Redis as long as it takes. */
export function createDelivery (connection: Redis, partitions: Partitions, partition: number) {
  const queues = new Map<string, Queue>()

  function queueOf (name: string): Queue {
    let queue = queues.get(name)
    if (queue === undefined) {
      queue = new Queue(name, {
        connection, prefix: partitions.prefixOf(name, partition), skipVersionCheck: true, skipMetasUpdate: true,
        // What ends well is removed as its worker says.
        defaultJobOptions: { attempts: 1, removeOnFail: kept }
      })
      queue.on('error', () => undefined)
      queues.set(name, queue)
    }
    return queue
  }

  return {
    /** BullMQ ignores ids that it has: adding again is harmless. */
    async add (deliveries: readonly Delivery[]): Promise<void> {
      for (const [name, group] of Map.groupBy(deliveries, ({ queue }) => queue)) {
        for (let from = 0; from < group.length; from += most) {
          await queueOf(name).addBulk(group.slice(from, from + most).map(toJob))
        }
      }
    },

    /** Those of them that Redis does not know, or knows as ended. */
    async missing (deliveries: readonly Delivery[]): Promise<Delivery[]> {
      const states = await Promise.all(deliveries.map(async ({ id, release, queue }) =>
        await queueOf(queue).getJobState(deliveryId(id, release))))
      const ended = new Set<string>(['completed', 'failed', 'unknown'])
      return deliveries.filter((_, i) => ended.has(states[i] ?? 'unknown'))
    },

    /** Whether somebody still renews the lock of a delivery. */
    async isLocked (
      { id, release, queue, workspaceId }: { id: string, release: number, queue: string, workspaceId: string }
    ): Promise<boolean> {
      const prefix = partitions.homeOf(queue, workspaceId)
      return await connection.exists(`${prefix}:${queue}:${deliveryId(id, release)}:lock`) === 1
    },

    async close (): Promise<void> {
      await Promise.allSettled([...queues.values()].map(async (queue) => { await queue.close() }))
    }
  }
}

function toJob ({ id, release, lane, priority = priorityOf[lane] }: Delivery) {
  return { name: 'run', data: { r: id, n: release }, opts: { jobId: deliveryId(id, release), priority } }
}

export type DeliveryPort = ReturnType<typeof createDelivery>
