import type { DomainError } from '../kernel/index.ts'
import { Refusal } from './connectors/port.ts'
import { SocialError } from './errors.ts'
import type { Evidence } from './schemas.ts'

/** What a refusal is for somebody who waits for the answer; the platform's own words stay in the details. */
export function errorOf (error: unknown, { isConnecting = false }: { isConnecting?: boolean } = {}): unknown {
  if (!(error instanceof Refusal)) return error
  const details = { platform: { status: error.status, ...(error.code === null ? {} : { code: error.code }) } }
  const options = { cause: error }
  const { verdict } = error
  if (verdict.kind === 'wait') {
    return SocialError.platform_throttled(
      details, { ...options, retryAfterMs: verdict.waitMs })
  }
  if (verdict.kind === 'retry') return SocialError.platform_down(details, options)
  if (verdict.kind === 'scope') return SocialError.scope_missing(details, options)
  return isConnecting
    ? connecting(
      verdict.kind, details, options)
    : SocialError.upstream_answer_invalid(details, options)
}

function connecting (kind: string, details: Record<string, unknown>, options: { cause: unknown }): DomainError {
  if (kind === 'gone' || kind === 'unknown') {
    return SocialError.upstream_answer_invalid(
      details, { ...options, detail: 'No Mastodon-compatible server answers at this address.' })
  }
  return SocialError.connect_denied(details, options)
}

/** What the refusal says about the account, for people. */
export function evidenceOf (error: Refusal, step: string, source: Evidence['source'], at: Date): Evidence {
  return {
    at: at.toISOString(),
    source,
    step,
    httpStatus: error.status,
    code: error.code,
    sentence: sentences[error.verdict.kind] ?? 'The platform refused the call.'
  }
}

const sentences: Record<string, string> = {
  reauth: 'The platform does not accept the token any more.',
  scope: 'The token lacks a right that is needed.',
  restricted: 'The platform restricts this account.',
  gone: 'The platform does not know this account any more.'
}
