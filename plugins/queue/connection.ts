import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'

/** Prefix of all keys of a partition: the hash tag keeps its scripts on one slot of a cluster. */
export function bullPrefix (prefix: string, partition = 0): string {
  return `${prefix}:{j${partition}}`
}

/** A connection for BullMQ, which must wait for Redis as long as it takes; nobody but us closes it. */
export function bullConnection (redis: FastifyInstance['redis'], onReady?: () => void): Redis {
  const connection = redis.duplicate({
    lazyConnect: false,
    maxRetriesPerRequest: null,
    // It would end the blocking reads.
    commandTimeout: undefined as unknown as number
  })
  // Each error is followed by a new try; what is lost while Redis is away stands in the outbox.
  connection.on('error', () => undefined)
  if (onReady !== undefined) connection.on('ready', onReady)
  return connection
}
