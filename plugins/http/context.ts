import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, withContext, type Context } from '../../src/kernel/index.ts'
import { createContext, timeoutOf, watchBody } from './context/deadline.ts'
import { logRequest } from './context/request-line.ts'
import { traceOf } from './context/trace.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C traceparent. */
    trace: string
    context: Context
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
  const inFlight = new WeakMap<FastifyReply, NodeJS.Timeout>()

  function begin (request: FastifyRequest, reply: FastifyReply): Context {
    request.trace = traceOf(request.headers['traceparent'], request.id)
    const timeoutMs = timeoutOf(request)
    const own = createContext(request, timeoutMs)
    request.context = own
    reply.header('x-request-id', request.id)
    if (isClosing) reply.header('connection', 'close')
    const timer = setTimeout(() => {
      if (reply.sent) return
      own.abort(HttpError.deadline_exceeded())
      reply.send(HttpError.deadline_exceeded())
    }, timeoutMs)
    timer.unref()
    inFlight.set(reply, timer)
    reply.raw.once('close', () => {
      clearTimeout(timer)
      if (reply.raw.writableFinished || isHijacked(reply)) return
      own.abort(new Error('the client left'))
      logRequest(request, reply, 499)
    })
    return own
  }

  app.decorateRequest('trace', '')
  app.decorateRequest('context', null as unknown as Context)
  app.decorateRequest('deadline', { getter (this: FastifyRequest) { return this.context.signal as AbortSignal } })

  app.addHook('onRequest', (request, reply, done) => {
    const own = begin(request, reply)
    const { url, headers } = request.raw
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0) watchBody(request, reply)
    if (url !== undefined && url.length > queryLimit) done(HttpError.uri_too_long())
    else withContext(own, done)
  })
  // A parsed body goes on from an event of its socket, which knows nothing of the request.
  app.addHook('preValidation', (request, _reply, done) => { withContext(request.context, done) })
  app.addHook('onResponse', (request, reply, done) => {
    clearTimeout(inFlight.get(reply))
    logRequest(request, reply, reply.statusCode)
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
