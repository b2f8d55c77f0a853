import type { RawAnswer, Verdict } from '../../connectors/port.ts'

const longestWaitMs = 86_400_000

/** What an answer of a Mastodon-compatible server means; what is not listed is `unknown` and condemns nobody. */
export function classify ({ status, headers, body }: RawAnswer): Verdict {
  if (status >= 200 && status < 300) return { kind: 'ok' }
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) {
    return { kind: 'wait', waitMs: waitOf(headers) }
  }
  if (status === 403) return { kind: verdictOfForbidden(codeOf(body)) }
  return { kind: table.get(status) ?? (status >= 500 ? 'retry' : 'unknown') }
}

const table = new Map<number, 'retry' | 'reauth' | 'gone' | 'invalid'>([
  [400, 'invalid'], [401, 'reauth'], [404, 'gone'], [408, 'retry'], [410, 'gone'], [422, 'invalid'], [425, 'retry']
])

function verdictOfForbidden (code: string | null): 'scope' | 'restricted' | 'unknown' {
  if (code === null) return 'unknown'
  if (/outside the authorized scopes/i.test(code)) return 'scope'
  return /suspended|disabled|limited|confirmed/i.test(code) ? 'restricted' : 'unknown'
}

/** The error word of an answer, at most 200 characters; never a body. */
export function codeOf (body: unknown): string | null {
  if (typeof body !== 'object' || body === null || !('error' in body)) return null
  return typeof body.error === 'string' ? body.error.slice(0, 200) : null
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), else the reset of the rate limit, else a minute. */
function waitOf (headers: Record<string, string>): number {
  const after = headers['retry-after']
  if (after !== undefined && /^\d{1,9}$/.test(after.trim())) return bound(Number(after) * 1000)
  // Measured against the server's own clock: ours may differ.
  const now = Date.parse(headers['date'] ?? '')
  for (const text of [after, headers['x-ratelimit-reset']]) {
    const at = Date.parse(text ?? '')
    if (!Number.isNaN(at) && !Number.isNaN(now)) return bound(at - now)
  }
  return 60_000
}

function bound (ms: number): number {
  return Math.min(Math.max(ms, 1000), longestWaitMs)
}
