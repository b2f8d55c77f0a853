import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError, type Context } from '../../../src/kernel/index.ts'

const bodyIdleMs = 15_000

/** Milliseconds that a request may take: its route's own, shortened by `X-Deadline-Ms`. */
export function timeoutOf (request: FastifyRequest): number {
  const usual = request.method === 'GET' || request.method === 'HEAD' ? 10_000 : 15_000
  const own = request.routeOptions.config.timeoutMs ?? usual
  const asked = Number(request.headers['x-deadline-ms'])
  return asked > 0 && asked < own ? Math.ceil(asked) : own
}

export interface RequestContext extends Context {
  abort (reason: unknown): void
}

/** The context of a request; its signal is made when somebody asks for it. */
export function createContext (request: FastifyRequest, timeoutMs: number): RequestContext {
  let controller: AbortController | undefined
  let reason: unknown
  return {
    cause: { kind: 'request', id: request.id },
    trace: request.trace,
    deadlineMs: Date.now() + timeoutMs,
    get signal () {
      controller ??= new AbortController()
      if (reason !== undefined) controller.abort(reason)
      return controller.signal
    },
    abort (because) {
      reason ??= because
      controller?.abort(because)
    }
  }
}

/** Refuses a body that stands still. */
export function watchBody ({ raw }: FastifyRequest, reply: FastifyReply): void {
  let seen = -1
  const timer = setTimeout(() => {
    if (raw.complete || reply.sent) return
    if (raw.socket.bytesRead !== seen) {
      seen = raw.socket.bytesRead
      timer.refresh()
      return
    }
    reply.header('connection', 'close')
    reply.send(HttpError.body_timeout())
  }, bodyIdleMs)
  timer.unref()
  raw.once('close', () => { clearTimeout(timer) })
}
