import type { Db } from 'mongodb'
import type { Clock } from '../../src/kernel/index.ts'

const everyMs = 10_000

/** The server's time at the last sync, half the round trip subtracted, plus the monotonic timer (`jobs.md` 4.1). */
export function createServerClock (db: Db): Clock & { sync (): Promise<void>, start (): void, stop (): void } {
  // Until the first sync, and offline, the wall clock of this host is all there is.
  let offsetMs = Date.now() - performance.now()
  let timer: NodeJS.Timeout | undefined

  async function sync (): Promise<void> {
    const sentMs = performance.now()
    const { localTime } = await db.admin().command({ hello: 1 }) as { localTime: Date }
    const receivedMs = performance.now()
    offsetMs = localTime.getTime() + (receivedMs - sentMs) / 2 - receivedMs
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
