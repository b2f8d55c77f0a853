import type { FastifyServerOptions } from 'fastify'
import { pino } from 'pino'
import { redactionPaths } from './redaction.ts'

interface Told { type: string, code?: string, message: string, stack?: string, cause?: Told }

/** Options of pino: JSON lines, secrets hidden, errors by allow-list. */
export function loggerOptions (level: string, role: string): FastifyServerOptions['logger'] {
  return {
    level,
    stream: output(),
    base: { role, pid: process.pid },
    redact: { paths: redactionPaths(), censor: '[redacted]' },
    serializers: {
      err: (error: unknown) => tell(error, 3) as never,
      req: ({ method, id }: { method?: string, id?: unknown }) => ({ method, id }) as never,
      res: ({ statusCode }: { statusCode?: number }) => ({ statusCode }) as never
    }
  }
}

let lines: ReturnType<typeof pino.destination> | undefined

/** Lines of a busy moment leave together: a write for each would cost more than the request it tells of. */
function output (): ReturnType<typeof pino.destination> {
  if (lines !== undefined) return lines
  const created = pino.destination({ dest: 1, sync: true, minLength: 8192, periodicFlush: 100 })
  process.once('exit', () => { created.flushSync() })
  lines = created
  return created
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
