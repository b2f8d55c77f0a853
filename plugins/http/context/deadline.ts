import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from '../../../src/kernel/index.ts'

const bodyIdleMs = 15_000

/** Milliseconds that a request may take: its route's own, shortened by `X-Deadline-Ms`. */
export function timeoutOf (request: FastifyRequest, config = request.routeOptions.config): number {
  const { raw } = request
  const usual = raw.method === 'GET' || raw.method === 'HEAD' ? 10_000 : 15_000
  const own = config.timeoutMs ?? usual
  const given = raw.headers['x-deadline-ms']
  if (given === undefined) return own
  const asked = Number(given)
  return asked > 0 && asked < own ? Math.ceil(asked) : own
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
