// Workers of one machine without an orchestrator: as many processes as the signal asks for (`jobs.md` 4.8).
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, createFlock, type Child, type FlockOptions } from './flock.ts'

export interface Bounds {
  /** At least and at most so many processes; never more than cores. */
  least: number
  most: number
  /** Queues that a child consumes; what others ask for is not answered here. */
  queues: readonly string[]
}

export interface SuperviseOptions extends Bounds, Omit<FlockOptions, 'onChange'> {
  /** Resident memory at which a child is replaced. */
  memoryBytes: number
  everyMs?: number
}

interface Wanted { queue: string, required: number, reason: string }

/** Fewer are wanted so many looks in a row before one ends: a gap between two peaks is none. */
const looksToShrink = 3

/** How many processes the queues of these workers ask for; each process has its places in every queue. */
export function countOf (
  wanted: ReadonlyArray<{ queue: string, required: number }>, { least, most, queues }: Bounds,
  cores = availableParallelism()
): number {
  const asked = wanted.filter(({ queue }) => queues.includes(queue)).map(({ required }) => required)
  return Math.max(1, Math.min(Math.max(least, ...asked), most, cores))
}

export function residentBytes (metrics: string): number {
  return Number(/^switchyard_process_resident_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(metrics)?.[1] ?? 0)
}

/** `2..4`, or `3` for exactly that many. Throws one sentence. */
export function boundsOf (text: string): { least: number, most: number } {
  const [, first, last = first] = /^([1-9]\d{0,2})(?:\.\.([1-9]\d{0,2}))?$/.exec(text) ?? []
  const bounds = { least: Number(first), most: Number(last) }
  if (first === undefined || bounds.least > bounds.most) {
    throw new Error(`--supervise takes a number of processes or a range such as 1..4, not "${text}".`)
  }
  return bounds
}

/** Forks, replaces and restarts workers until it is told to end; resolves when the last of them has ended too. */
export async function supervise (options: SuperviseOptions, ending: AbortSignal): Promise<void> {
  const { memoryBytes, everyMs = 10_000, say } = options
  let bell = new AbortController()
  const flock = createFlock({ ...options, onChange: () => { bell.abort() } })
  let target = countOf([], options)
  let fewer = 0

  async function look (): Promise<void> {
    const ready = flock.ready()
    const [first] = ready
    if (first === undefined) return
    await resize(first)
    for (const child of ready) {
      const bytes = residentBytes(await ask(child, '/metrics'))
      if (bytes > memoryBytes) flock.end(child, `${Math.round(bytes / 2 ** 20)} MiB are over its limit`)
    }
  }

  async function resize (child: Child): Promise<void> {
    const wanted = JSON.parse(await ask(child, '/scaling')) as Wanted[]
    const count = countOf(wanted, options)
    fewer = count < target ? fewer + 1 : 0
    if (count <= target && fewer < looksToShrink) return
    const reasons = wanted.filter(({ required }) => required > 0).map(({ queue, reason }) => `${queue}: ${reason}`)
    say({ msg: 'another number of workers', from: target, to: count, reasons })
    target = count
    fewer = 0
  }

  let lookAtMs = performance.now() + everyMs
  while (!ending.aborted) {
    bell = new AbortController()
    flock.bringTo(target)
    const nowMs = performance.now()
    const nextMs = flock.startAtMs() > nowMs ? Math.min(flock.startAtMs(), lookAtMs) : lookAtMs
    await sleep(Math.max(20, nextMs - nowMs), undefined, { signal: AbortSignal.any([ending, bell.signal]) })
      .catch(() => undefined)
    if (ending.aborted || performance.now() < lookAtMs) continue
    lookAtMs = performance.now() + everyMs
    await look().catch((err: unknown) => { say({ msg: 'a worker does not tell how it is', err: String(err) }) })
  }
  await flock.close()
}
