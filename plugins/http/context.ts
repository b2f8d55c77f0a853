import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, withContext } from '../../src/kernel/index.ts'
import { timeoutOf, watchBody } from './context/deadline.ts'
import { createDeadlines } from './context/deadlines.ts'
import { RequestContext } from './context/request-context.ts'
import { createRequestLines } from './context/request-line.ts'
import { say } from './server-options/answer.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C traceparent. */
    readonly trace: string
    context: RequestContext
    /** Aborts at the deadline, or when the client left. */
    readonly deadline: AbortSignal
  }
  interface FastifyContextConfig {
    /** Time of the whole request; 10 s for reads and 15 s for the rest unless named. */
    timeoutMs?: number
  }
}

const queryLimit = 8 * 1024

export default fp(async function context (app) {
  let isClosing = false
  const lines = createRequestLines(app.log)
  const deadlines = createDeadlines((late) => {
    if (late.reply.sent) return
    late.abort(HttpError.deadline_exceeded())
    late.reply.send(HttpError.deadline_exceeded())
  })

  function begin (request: FastifyRequest, reply: FastifyReply): RequestContext {
    const { config } = request.routeOptions
    const own = new RequestContext(
      request, reply, { config, nowMs: performance.now(), timeoutMs: timeoutOf(request, config) }
    )
    request.context = own
    deadlines.add(own)
    say(reply, 'x-request-id', request.id)
    if (isClosing) reply.header('connection', 'close')
    reply.raw.on('close', () => { end(own) })
    // The answer to an upgrade that was not taken: nobody else watches over its connection.
    const { headers, socket } = request.raw
    if (headers.upgrade !== undefined) reply.raw.once('finish', () => { socket.destroySoon() })
    return own
  }

  function end (own: RequestContext): void {
    deadlines.remove(own)
    const { reply } = own
    if (reply.raw.writableFinished) lines.add(own, reply.raw.statusCode)
    else if (!isHijacked(reply)) {
      own.abort(new Error('the client left'))
      lines.add(own, 499)
    }
  }

  app.decorateRequest('context', null as unknown as RequestContext)
  app.decorateRequest('trace', {
    // What fails before its routing has no context.
    getter (this: FastifyRequest) { return (this.context as RequestContext | null)?.trace ?? '' }
  })
  app.decorateRequest('deadline', { getter (this: FastifyRequest) { return this.context.signal } })

  app.addHook('onRoute', (route) => {
    if (route.method === 'GET' || route.method === 'HEAD') return
    // A parsed body goes on from an event of its socket, which knows nothing of the request.
    route.preValidation = [
      (request, _reply, done) => { withContext(request.context, done) }, ...[route.preValidation ?? []].flat()
    ]
  })
  app.addHook('onRequest', (request, reply, done) => {
    const own = begin(request, reply)
    const { url, headers } = request.raw
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0) watchBody(request, reply)
    if (url !== undefined && url.length > queryLimit) done(HttpError.uri_too_long())
    else withContext(own, done)
  })
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  app.addHook('onClose', () => { lines.close() })
}, { name: 'context', dependencies: ['errors'] })

function isHijacked (reply: FastifyReply): boolean {
  return reply.sent && !reply.raw.headersSent
}
