import { LiveError, subprotocol } from '../../../src/kernel/index.ts'

export interface AdmissionOptions {
  origins: readonly string[]
  publicUrl: string
  maxConnections: number
  perIp: number
  unauthenticated: number
  handshakesPerSec: number
}

export interface Handshake {
  protocols: string | undefined
  origin: string | undefined
  host: string | undefined
  ip: string
}

export type Admission = ReturnType<typeof createAdmission>

/** Who may open a socket at all (`realtime.md` 4.9). */
export function createAdmission (options: AdmissionOptions, nowMs: () => number) {
  const perIp = new Map<string, number>()
  const bucket = createBucket({ perSec: options.handshakesPerSec, burst: options.handshakesPerSec * 2 }, nowMs)
  let open = 0
  let unauthenticated = 0
  let isDraining = false

  function isOwn (origin: string, host: string | undefined): boolean {
    if (origin === options.publicUrl || options.origins.includes(origin)) return true
    // Without a public address ours is where the request came to.
    return options.publicUrl === '' && (origin === `http://${host}` || origin === `https://${host}`)
  }

  return {
    /** Before the upgrade. Throws `live.subprotocol_unknown`, `live.origin_forbidden`, `live.overloaded`. */
    check ({ protocols, origin, host, ip }: Handshake): void {
      if (!(protocols ?? '').split(',').some((one) => one.trim() === subprotocol)) throw LiveError.subprotocol_unknown()
      if (origin !== undefined && !isOwn(origin, host)) throw LiveError.origin_forbidden()
      const isFull = open >= options.maxConnections || unauthenticated >= options.unauthenticated ||
        (perIp.get(ip) ?? 0) >= options.perIp
      if (isDraining || isFull) throw LiveError.overloaded({}, { retryAfterMs: 1000 + Math.random() * 4000 })
    },

    /** After the upgrade: null, or for how long the newcomer has to stay away. */
    opened (ip: string): number | null {
      open++
      unauthenticated++
      perIp.set(ip, (perIp.get(ip) ?? 0) + 1)
      if (bucket.take()) return null
      return Math.ceil(500 + Math.random() * 1000 * Math.max(1, bucket.debt() / options.handshakesPerSec))
    },

    authenticated (): void { unauthenticated-- },

    closed (ip: string, { wasAuthenticated }: { wasAuthenticated: boolean }): void {
      open--
      if (!wasAuthenticated) unauthenticated--
      const left = (perIp.get(ip) ?? 1) - 1
      if (left > 0) perIp.set(ip, left)
      else perIp.delete(ip)
    },

    drain (): void { isDraining = true },
    counts: () => ({ open, unauthenticated })
  }
}

export interface Bucket { take (): boolean, debt (): number }

export function createBucket ({ perSec, burst }: { perSec: number, burst: number }, nowMs: () => number): Bucket {
  let tokens = burst
  let at = nowMs()
  return {
    take () {
      const now = nowMs()
      tokens = Math.min(burst, tokens + (now - at) * perSec / 1000) - 1
      at = now
      return tokens >= 0
    },
    debt: () => Math.max(0, -tokens)
  }
}
