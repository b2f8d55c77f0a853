import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { currentContext } from '../../../src/kernel/index.ts'
import { output } from './output.ts'
import { redactionPaths } from './redaction.ts'

interface Told { type: string, code?: string, message: string, stack?: string, cause?: Told }

/** JSON lines, secrets hidden, errors by allow-list. */
export function createLogger (level: string, role: string): FastifyBaseLogger {
  return pino({
    level,
    base: { role, pid: process.pid },
    // Lines of a request carry its id, whoever writes them.
    mixin: requestId,
    redact: { paths: redactionPaths(), censor: '[redacted]' },
    serializers: { err: (error: unknown) => tell(error, 3) }
  }, output())
}

function requestId (): { requestId?: string } {
  const cause = currentContext()?.cause
  return cause?.kind === 'request' ? { requestId: cause.id } : {}
}

/** Name, code, message, stack and causes of an error; never its other properties. */
function tell (error: unknown, depth: number): Told | undefined {
  if (error === null || error === undefined || depth === 0) return undefined
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an error' }
  const { name, message, stack, cause } = error
  const { code } = error as { code?: unknown }
  const inner = tell(cause, depth - 1)
  return {
    type: name,
    ...(typeof code === 'string' ? { code } : {}),
    message: hideCredentials(message),
    ...(stack === undefined ? {} : { stack: hideCredentials(stack) }),
    ...(inner === undefined ? {} : { cause: inner })
  }
}

function hideCredentials (text: string): string {
  return text.replaceAll(/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@]{1,200}@/gi, '$1[redacted]@')
}
