import type { WorldClock } from './clock.ts'

const windowMs = 5 * 60_000
const allowed = 300

/** 300 requests in each five minutes of the world's clock, by token or address. */
export function createLimits (clock: WorldClock) {
  const used = new Map<string, { window: number, count: number }>()

  return {
    /** Counts a request; the headers are Mastodon's. */
    take (key: string): { isOver: boolean, headers: Record<string, string> } {
      const window = Math.floor(clock.now() / windowMs)
      const before = used.get(key)
      const count = before?.window === window ? before.count + 1 : 1
      used.set(key, { window, count })
      return {
        isOver: count > allowed,
        headers: {
          'x-ratelimit-limit': String(allowed),
          'x-ratelimit-remaining': String(Math.max(0, allowed - count)),
          'x-ratelimit-reset': new Date((window + 1) * windowMs).toISOString()
        }
      }
    },
    clear () { used.clear() }
  }
}

export type Limits = ReturnType<typeof createLimits>
