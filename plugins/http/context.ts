import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, withContext } from '../../src/kernel/index.ts'
import { createContext, timeoutOf, watchBody, type RequestContext } from './context/deadline.ts'
import { createDeadlines } from './context/deadlines.ts'
import { logRequest } from './context/request-line.ts'
import { traceOf } from './context/trace.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C traceparent. */
    trace: string
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
  const deadlines = createDeadlines()
  // The line is made of known fields: nothing in it needs the redaction of the other logs.
  const lines = app.log.child({}, { redact: [] } as never)

  function begin (request: FastifyRequest, reply: FastifyReply): RequestContext {
    request.trace = traceOf(request.headers['traceparent'], request.id)
    const timeoutMs = timeoutOf(request)
    const own = createContext(request, timeoutMs)
    request.context = own
    const waiting = deadlines.add(timeoutMs, () => {
      if (reply.sent) return
      own.abort(HttpError.deadline_exceeded())
      reply.send(HttpError.deadline_exceeded())
    })
    reply.header('x-request-id', request.id)
    if (isClosing) reply.header('connection', 'close')
    reply.raw.once('close', () => {
      deadlines.remove(waiting)
      if (reply.raw.writableFinished || isHijacked(reply)) return
      own.abort(new Error('the client left'))
      logRequest(lines, request, reply, 499)
    })
    return own
  }

  app.decorateRequest('trace', '')
  app.decorateRequest('context', null as unknown as RequestContext)
  app.decorateRequest('deadline', { getter (this: FastifyRequest) { return this.context.signal as AbortSignal } })

  app.addHook('onRequest', (request, reply, done) => {
    const own = begin(request, reply)
    const { url, headers } = request.raw
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0) watchBody(request, reply)
    if (url !== undefined && url.length > queryLimit) done(HttpError.uri_too_long())
    else withContext(own, done)
  })
  // A parsed body goes on from an event of its socket, which knows nothing of the request.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined) done()
    else withContext(request.context, done)
  })
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(lines, request, reply, reply.statusCode)
    done()
  })
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
}, { name: 'context', dependencies: ['errors'] })

function isHijacked (reply: FastifyReply): boolean {
  return reply.sent && !reply.raw.headersSent
}
