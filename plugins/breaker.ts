import fp from 'fastify-plugin'
import CircuitBreaker from 'opossum'
import type { Breakers } from '../src/kernel/index.ts'

declare module 'fastify' {
  interface FastifyInstance { breakers: Breakers }
}

/** Refused without a try: the service is down; `retryAfterMs` is when a probe will be let through. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError'
  readonly retryAfterMs: number

  constructor (breaker: string, retryAfterMs: number) {
    super(`The circuit breaker of ${breaker} is open.`)
    this.retryAfterMs = retryAfterMs
  }
}

type Work = () => Promise<unknown>
type Counts = (error: unknown) => boolean

interface Entry { breaker: CircuitBreaker<[Work, Counts], unknown>, openedAt: number }

const resetMs = 15_000
/** Names come from addresses that strangers type: the one used longest ago makes room. */
const maxBreakers = 500

const breaker = fp(async function breaker (app) {
  const entries = new Map<string, Entry>()
  app.decorate('breakers', {
    call: async <T>(name: string, work: () => Promise<T>, { counts = () => true }: { counts?: Counts } = {}) => {
      const entry = take(entries, name)
      if (entry.breaker.opened) throw new CircuitOpenError(name, remainingMs(entry))
      try {
        return await entry.breaker.fire(work, counts) as T
      } catch (error) {
        if (CircuitBreaker.isOurError(error as Error)) throw new CircuitOpenError(name, remainingMs(entry))
        throw error
      }
    }
  })
  app.addHook('onClose', () => {
    for (const entry of entries.values()) entry.breaker.shutdown()
  })
}, { name: 'breaker', dependencies: ['telemetry'] })

export default breaker

function take (entries: Map<string, Entry>, name: string): Entry {
  const entry = entries.get(name) ?? create(name)
  entries.delete(name)
  entries.set(name, entry)
  const [oldest] = entries.keys()
  if (entries.size > maxBreakers && oldest !== undefined) {
    entries.get(oldest)?.breaker.shutdown()
    entries.delete(oldest)
  }
  return entry
}

function create (name: string): Entry {
  const breaker = new CircuitBreaker<[Work, Counts], unknown>(async (work) => await work(), {
    name,
    timeout: false,
    resetTimeout: resetMs,
    errorThresholdPercentage: 50,
    volumeThreshold: 10,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    errorFilter: (error: unknown, _work: Work, counts: Counts) => !counts(error)
  })
  const entry: Entry = { breaker, openedAt: 0 }
  breaker.on('open', () => { entry.openedAt = performance.now() })
  return entry
}

function remainingMs ({ openedAt }: Entry): number {
  return Math.max(100, Math.ceil(openedAt + resetMs - performance.now()))
}
