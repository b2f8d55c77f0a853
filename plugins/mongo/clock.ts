import type { Db } from 'mongodb'
import type { Clock } from '../../src/kernel/index.ts'

const everyMs = 10_000
/** An answer that took longer says little: a process that was busy, or a store that was, is asked again. */
const promptMs = 100
const mostAsked = 5

/** Between which two offsets to this process's monotonic timer the server's clock is. */
interface Bounds { low: number, high: number }

const widthOf = ({ low, high }: Bounds): number => high - low

/** The server's time at the last sync plus the monotonic timer (`jobs.md` 4.1, `docs/decisions/0016`). */
export function createServerClock (db: Db): Clock & { sync (): Promise<void>, start (): void, stop (): void } {
  // Until the first sync, and offline, the wall clock of this host is all there is.
  let offsetMs = Date.now() - performance.now()
  let timer: NodeJS.Timeout | undefined

  async function ask (): Promise<Bounds> {
    const sentMs = performance.now()
    const { localTime } = await db.admin().command({ hello: 1 }) as { localTime: Date }
    // The server cuts its time to whole milliseconds.
    return { low: localTime.getTime() - performance.now(), high: localTime.getTime() + 1 - sentMs }
  }

  async function sync (): Promise<void> {
    let best = await ask()
    for (let asked = 1; asked < mostAsked && widthOf(best) > promptMs; asked++) {
      const next = await ask()
      if (widthOf(next) < widthOf(best)) best = next
    }
    const isPossible = offsetMs >= best.low && offsetMs <= best.high
    if (!isPossible) offsetMs = (best.low + best.high) / 2
  }

  const ms = (): number => Math.round(offsetMs + performance.now())
  return {
    ms,
    now: () => new Date(ms()),
    sync,
    start () {
      // A missed sync changes nothing: the monotonic timer goes on from the last one.
      timer = setInterval(() => { sync().catch(() => undefined) }, everyMs)
      timer.unref()
    },
    stop () { clearInterval(timer) }
  }
}
