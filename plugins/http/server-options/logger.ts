import type { FastifyBaseLogger } from 'fastify'
import { pino } from 'pino'
import { currentContext } from '../../../src/kernel/index.ts'
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

interface Lines { write (line: string): void, flushSync (): void }

let lines: Lines | undefined

const mostWaiting = 16 * 1024
const room = 4 * mostWaiting
const everyMs = 100

/**
 * Standard output. Lines of a busy moment leave together: a write for each would cost more than the request it tells
 * of, and so would sonic-boom's own buffer, which measures all that waits at every line.
 */
function output (): Lines {
  lines ??= createOutput()
  return lines
}

function createOutput (): Lines {
  const destination = pino.destination({ dest: 1, sync: true, contentMode: 'buffer' } as never)
  const waiting = Buffer.allocUnsafeSlow(room)
  let length = 0
  let timer: NodeJS.Timeout | undefined

  function flushSync (): void {
    clearTimeout(timer)
    timer = undefined
    const bytes = Buffer.from(waiting.subarray(0, length))
    length = 0
    if (bytes.length > 0) destination.write(bytes as never)
  }

  function write (line: string): void {
    const most = line.length * 3
    if (most > room - length) flushSync()
    if (most > room) {
      destination.write(Buffer.from(line) as never)
      return
    }
    length += waiting.write(line, length)
    if (length >= mostWaiting) flushSync()
    else timer ??= setTimeout(flushSync, everyMs).unref()
  }

  process.once('exit', flushSync)
  return { write, flushSync }
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
