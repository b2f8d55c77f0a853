import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify'
import type { ActorRef, Cause, Context } from '../../../src/kernel/index.ts'
import { traceOf } from './trace.ts'

/**
 * Holds the response of one request with what belongs to it. A class, because there is one for every request: it is
 * made in one step, and what most requests never ask for (cause, trace, signal) is made when somebody does.
 */
export class RequestContext implements Context {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly config: FastifyContextConfig & { url?: string }
  /** By the monotonic timer of the process, in milliseconds. */
  readonly startedAt: number
  readonly dueAt: number
  actor?: ActorRef
  /** Neighbours among the requests in flight, which `deadlines` keeps. */
  previous: RequestContext | undefined = undefined
  next: RequestContext | undefined = undefined
  #trace: string | undefined = undefined
  #controller: AbortController | undefined = undefined
  #reason: unknown = undefined

  constructor (request: FastifyRequest, reply: FastifyReply, { config, nowMs, timeoutMs }: {
    config: FastifyContextConfig, nowMs: number, timeoutMs: number
  }) {
    this.request = request
    this.reply = reply
    this.config = config
    this.startedAt = nowMs
    this.dueAt = nowMs + timeoutMs
  }

  get cause (): Cause { return { kind: 'request', id: this.request.id } }

  get trace (): string {
    this.#trace ??= traceOf(this.request.headers['traceparent'], this.request.id)
    return this.#trace
  }

  /** Id of a trace that somebody else began; empty where it is made of the request's own id. */
  get foreignTraceId (): string {
    const { headers } = this.request.raw
    // An id of our own is a UUID: without a trace or an id from outside there is nothing to look at.
    if (headers['traceparent'] === undefined && headers['x-request-id'] === undefined) return ''
    return this.trace.slice(3, 35)
  }

  get deadlineMs (): number { return Date.now() + this.dueAt - performance.now() }

  get signal (): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  abort (reason: unknown): void {
    this.#reason ??= reason
    this.#controller?.abort(reason)
  }
}
