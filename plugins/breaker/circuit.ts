import CircuitBreaker from 'opossum'

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
export type Counts = (error: unknown) => boolean

export interface Circuit {
  /** Throws `CircuitOpenError`, and what the work throws. */
  call (work: Work, counts: Counts): Promise<unknown>
  close (): void
}

/** An error that says nothing about the service rides home as a result. */
interface Outcome { value?: unknown, error?: Error }

const resetMs = 15_000
/** The window in which failures are counted. */
const windowMs = 10_000

/** One breaker: opens when at least half of ten calls and more failed within the window. */
export function createCircuit (name: string): Circuit {
  let openedAt = 0
  let failedAt = -Infinity
  const breaker = new CircuitBreaker<[Work, Counts], Outcome>(attempt, {
    name,
    timeout: false,
    resetTimeout: resetMs,
    rollingCountTimeout: windowMs,
    errorThresholdPercentage: 50,
    volumeThreshold: 10,
    rollingPercentilesEnabled: false,
    enableSnapshots: false
  })
  breaker.on('open', () => { openedAt = performance.now() })
  breaker.on('failure', () => { failedAt = performance.now() })

  function refusal (): CircuitOpenError {
    return new CircuitOpenError(name, Math.max(100, Math.ceil(openedAt + resetMs - performance.now())))
  }

  async function fire (work: Work, counts: Counts): Promise<unknown> {
    if (breaker.opened) throw refusal()
    const outcome = await breaker.fire(work, counts).catch((error: unknown) => {
      throw CircuitBreaker.isOurError(error as Error) ? refusal() : error
    })
    if (outcome.error !== undefined) throw outcome.error
    return outcome.value
  }

  /** Nothing failed of late: a call costs no more than itself. Of a failure the breaker learns as if it had made it. */
  async function direct (work: Work, counts: Counts): Promise<unknown> {
    try {
      return await work()
    } catch (error) {
      if (counts(error)) await breaker.fire(async () => { throw error }, counts).catch(() => {})
      throw error
    }
  }

  return {
    call (work, counts) {
      const isHealthy = breaker.closed && performance.now() - failedAt > windowMs
      return isHealthy ? direct(work, counts) : fire(work, counts)
    },
    close () { breaker.shutdown() }
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
