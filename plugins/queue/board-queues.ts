import type { FastifyInstance } from 'fastify'
import { Queue } from 'bullmq'
import { spreadOf, usedQueues } from '../../src/jobs/index.ts'
import { bullConnection } from './connection.ts'
import type { Partitions } from './partitions.ts'

/** One queue of one partition as a board shows it. */
export interface BoardQueue { queue: Queue, label: string }

/** The used queues of all partitions, for reading; on a connection of their own. */
export function openBoardQueues (app: FastifyInstance, partitions: Partitions) {
  const connection = bullConnection(app.redis)
  const queues = usedQueues(app.registry).flatMap((name) =>
    Array.from({ length: spreadOf(name, partitions.count) }, (_, partition): BoardQueue => {
      const queue = new Queue(name, {
        connection, prefix: partitions.prefixOf(name, partition), skipVersionCheck: true, skipMetasUpdate: true
      })
      queue.on('error', () => undefined)
      return { queue, label: partitions.count === 1 ? '' : `${partition} ` }
    }))

  return {
    queues,
    async close (): Promise<void> {
      await Promise.allSettled(queues.map(async ({ queue }) => { await queue.close() }))
      connection.disconnect()
    }
  }
}

export type BoardQueues = ReturnType<typeof openBoardQueues>
