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

/** An error that says nothing about the service rides home as a result. */
interface Outcome { value?: unknown, error?: Error }

interface Entry { breaker: CircuitBreaker<[Work, Counts], Outcome>, openedAt: number }

const resetMs = 15_000
/** Names come from addresses that strangers type: the one used longest ago makes room. */
const maxBreakers = 500

const breaker = fp(async function breaker (app) {
  const entries = new Map<string, Entry>()
  app.decorate('breakers', {
    call: async <T>(name: string, work: () => Promise<T>, { counts = () => true }: { counts?: Counts } = {}) => {
      const entry = take(entries, name)
      if (entry.breaker.opened) throw new CircuitOpenError(name, remainingMs(entry))
      const outcome = await fire(name, entry, work, counts)
      if (outcome.error !== undefined) throw outcome.error
      return outcome.value as T
    }
  })
  app.addHook('onClose', () => {
    for (const entry of entries.values()) entry.breaker.shutdown()
  })
}, { name: 'breaker', dependencies: ['telemetry'] })

export default breaker

async function fire (name: string, entry: Entry, work: Work, counts: Counts): Promise<Outcome> {
  try {
    return await entry.breaker.fire(work, counts)
  } catch (error) {
    if (CircuitBreaker.isOurError(error as Error)) throw new CircuitOpenError(name, remainingMs(entry))
    throw error
  }
}

async function attempt (work: Work, counts: Counts): Promise<Outcome> {
  try {
    return { value: await work() }
  } catch (error) {
    if (counts(error)) throw error
    return { error: error as Error }
  }
}

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
  const breaker = new CircuitBreaker<[Work, Counts], Outcome>(attempt, {
    name,
    timeout: false,
    resetTimeout: resetMs,
    errorThresholdPercentage: 50,
    volumeThreshold: 10,
    rollingPercentilesEnabled: false,
    enableSnapshots: false
  })
  const entry: Entry = { breaker, openedAt: 0 }
  breaker.on('open', () => { entry.openedAt = performance.now() })
  return entry
}

function remainingMs ({ openedAt }: Entry): number {
  return Math.max(100, Math.ceil(openedAt + resetMs - performance.now()))
}
