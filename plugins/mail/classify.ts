import type { DomainError } from '../../src/kernel/index.ts'
import { MailError } from './errors.ts'
import type { Progress } from './progress.ts'

interface SmtpFailure {
  code?: string
  responseCode?: number
  response?: string
  /** Of the system: the call that failed. */
  syscall?: string
  timeoutType?: string
}

/** As long as a circuit breaker stays open. */
const awayMs = 15_000

/** What a failure of nodemailer means; the raw answer of the server never leaves as text, it may quote the mail. */
export function classify (cause: unknown, { isWhole }: Progress): DomainError {
  const { code, responseCode, response } = cause as SmtpFailure
  if (responseCode !== undefined) return byAnswer(responseCode, enhancedOf(response), cause)
  if (isWhole) return MailError.ambiguous({}, { cause })
  if (isAway(cause as SmtpFailure)) return MailError.not_accepted({}, { cause, retryAfterMs: awayMs })
  if (code === 'EAUTH') return MailError.misconfigured({}, { cause })
  if (code === 'EENVELOPE') return MailError.address_invalid({}, { cause })
  return MailError.not_accepted({}, { cause })
}

/** Nobody took the connection. That says nothing about this mail: it costs no attempt, and all others wait too. */
function isAway ({ code, syscall, timeoutType = '' }: SmtpFailure): boolean {
  return code === 'EDNS' || syscall === 'connect' || ['CONNECT_TIMEOUT', 'GREETING_TIMEOUT'].includes(timeoutType)
}

function byAnswer (answer: number, enhanced: string, cause: unknown): DomainError {
  if (enhanced.startsWith('4.7.') || answer === 429) return MailError.throttled({}, { cause, retryAfterMs: 60_000 })
  if (answer === 530 || answer === 534 || answer === 535) return MailError.misconfigured({}, { cause })
  if (answer >= 400 && answer < 500) return MailError.not_accepted({}, { cause })
  if (isGone(answer, enhanced)) return MailError.target_gone({}, { cause })
  return MailError.content_refused({}, { cause })
}

function isGone (answer: number, enhanced: string): boolean {
  return (answer === 550 || answer === 551 || answer === 553) &&
    (enhanced === '' || /^5\.1\.[0-36]$|^5\.2\.1$/.test(enhanced))
}

function enhancedOf (response: string | undefined): string {
  return /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})/.exec(response ?? '')?.[1] ?? ''
}
