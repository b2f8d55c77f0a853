import type { FastifyBaseLogger, FastifyInstance } from 'fastify'

type Client = FastifyInstance['redis']
type Heard = (message: Buffer) => void

/**
 * The subscriber connection of a process. After a reconnect it subscribes again, then tells who must look for losses.
 */
export interface Link {
  /** Resolves when the server confirmed: what is published from then on is heard. */
  listen (key: string, heard: Heard, options?: { isSharded?: boolean }): Promise<void>
  leave (key: string): void
  onRestored (listener: () => void): void
  isUp (): boolean
  /** Drops the connection and makes it again. */
  rebuild (): void
  close (): void
}

interface Listening { heard: Heard, isSharded: boolean }

export function createLink (client: Client, log: FastifyBaseLogger): Link {
  const listening = new Map<string, Listening>()
  const restored: Array<() => void> = []
  const connection = client.duplicate({
    autoResubscribe: false,
    maxRetriesPerRequest: 1,
    lazyConnect: true,
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 1000)
  })
  const hear = (key: Buffer, message: Buffer): void => { listening.get(key.toString())?.heard(message) }
  let isUp = false

  async function subscribe (key: string, { isSharded }: Listening): Promise<void> {
    await (isSharded ? connection.ssubscribe(key) : connection.subscribe(key))
  }

  async function restore (): Promise<void> {
    await Promise.all([...listening].map(async ([key, one]) => { await subscribe(key, one) }))
    isUp = true
    for (const listener of restored) listener()
  }

  connection.on('error', (error: Error) => { log.debug({ err: error }, 'live link') })
  connection.on('messageBuffer', hear)
  connection.on('smessageBuffer', hear)
  connection.on('close', () => { isUp = false })
  connection.on('ready', () => {
    restore().catch((error: unknown) => {
      log.warn({ err: error }, 'the live link could not subscribe again')
      connection.disconnect(true)
    })
  })
  connection.connect().catch((error: unknown) => { log.debug({ err: error }, 'live link') })

  return {
    async listen (key, heard, { isSharded = true } = {}) {
      const one = { heard, isSharded }
      listening.set(key, one)
      await subscribe(key, one)
    },
    leave (key) {
      const one = listening.get(key)
      if (one === undefined) return
      listening.delete(key)
      const left = one.isSharded ? connection.sunsubscribe(key) : connection.unsubscribe(key)
      left.catch((error: unknown) => { log.debug({ err: error }, 'live link') })
    },
    onRestored (listener) { restored.push(listener) },
    isUp: () => isUp,
    rebuild () { connection.disconnect(true) },
    close () { connection.disconnect() }
  }
}
