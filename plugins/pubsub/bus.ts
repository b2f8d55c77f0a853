import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Bus } from '../../src/kernel/index.ts'
import type { Link } from './link.ts'

/** Messages to every process of the installation, the sender too; lost while Redis is away. */
export async function createBus (
  redis: FastifyInstance['redis'], link: Link, key: string, log: FastifyBaseLogger
): Promise<Bus> {
  const listeners = new Map<string, Set<(data: Record<string, unknown>) => void>>()
  await link.listen(key, (message) => {
    const { kind, data } = JSON.parse(message.toString()) as { kind: string, data: Record<string, unknown> }
    for (const listener of listeners.get(kind) ?? []) listener(data)
  }, { isSharded: false })
  return {
    send (kind, data) {
      redis.publish(key, JSON.stringify({ kind, data }))
        .catch((error: unknown) => { log.warn({ err: error, kind }, 'a message of the bus was lost') })
    },
    on (kind, listener) {
      const set = listeners.get(kind) ?? new Set()
      listeners.set(kind, set.add(listener))
      return () => { set.delete(listener) }
    }
  }
}
