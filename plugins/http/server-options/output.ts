import { pino } from 'pino'

/** Where the lines of a process leave. */
export interface Output {
  write (line: string): void
  /** Writes out, soon. */
  schedule (): void
  /** Writes out, now. */
  flushSync (): void
  /** Those that put lines together only when they leave: asked for them before each writing out. */
  sources: Set<() => void>
}

const mostWaiting = 16 * 1024
const room = 4 * mostWaiting
const everyMs = 100

let made: Output | undefined

/**
 * Standard output. Lines of a busy moment leave together: a write for each would cost more than the request it tells
 * of, and so would sonic-boom's own buffer, which measures all that waits at every line.
 */
export function output (): Output {
  made ??= createOutput()
  return made
}

function createOutput (): Output {
  const destination = pino.destination({ dest: 1, sync: true, contentMode: 'buffer' } as never)
  const waiting = Buffer.allocUnsafeSlow(room)
  const sources = new Set<() => void>()
  let length = 0
  let timer: NodeJS.Timeout | undefined

  function drain (): void {
    const bytes = Buffer.from(waiting.subarray(0, length))
    length = 0
    if (bytes.length > 0) destination.write(bytes as never)
  }

  function flushSync (): void {
    clearTimeout(timer)
    timer = undefined
    for (const source of sources) source()
    drain()
  }

  function schedule (): void { timer ??= setTimeout(flushSync, everyMs).unref() }

  function write (line: string): void {
    const most = line.length * 3
    if (most > room - length) drain()
    if (most > room) {
      destination.write(Buffer.from(line) as never)
      return
    }
    length += waiting.write(line, length)
    if (length >= mostWaiting) drain()
    else schedule()
  }

  process.once('exit', flushSync)
  return { write, schedule, flushSync, sources }
}
