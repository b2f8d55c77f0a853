import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError, type DomainError } from '../../src/kernel/index.ts'

interface Origin { requestId: string, trace: string | undefined, base: string }

/** The body of an error answer (`conventions.md` 3.2). Nothing of an internal error but its ids is shown. */
export function toProblem (error: DomainError, { requestId, trace, base }: Origin): Record<string, unknown> {
  const { definition, options, message } = error
  return {
    ...error.details,
    type: `${base}/errors/${definition.code}`,
    title: definition.message,
    status: definition.status,
    ...(message === definition.message ? {} : { detail: message.slice(0, 1000) }),
    instance: `urn:request:${requestId}`,
    code: definition.code,
    kind: definition.kind,
    requestId,
    ...(trace === undefined || trace === '' ? {} : { traceId: trace.slice(3, 35) }),
    ...(options.errors === undefined ? {} : { errors: options.errors.slice(0, 20) }),
    ...(retryAfterMs(error) === undefined ? {} : { retryAfterMs: retryAfterMs(error) })
  }
}

/** Waiting time of an error in milliseconds, where waiting helps. */
export function retryAfterMs ({ options, kind, code }: DomainError): number | undefined {
  if (options.retryAfterMs !== undefined) return Math.ceil(options.retryAfterMs)
  if (code === HttpError.internal.definition.code) return undefined
  return kind === 'rate_limited' || kind === 'unavailable' ? 1000 : undefined
}

/** Answers the request with the problem and the headers that belong to it. */
export function sendProblem (
  error: DomainError, request: FastifyRequest, reply: FastifyReply, base: string
): FastifyReply {
  const wait = retryAfterMs(error)
  if (wait !== undefined) reply.header('retry-after', Math.ceil(wait / 1000))
  if (error.definition.status === 401) reply.header('www-authenticate', challenge(error))
  return reply.code(error.definition.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(toProblem(error, { requestId: request.id, trace: request.trace, base })))
}

// RFC 6750, and RFC 9470 for a proof that is too old.
function challenge (error: DomainError): string {
  if (error.code === HttpError.step_up_required.definition.code) {
    return `Bearer error="insufficient_user_authentication", max_age="${String(error.details['maxAgeS'] ?? 0)}"`
  }
  return error.code.endsWith('token_missing') ? 'Bearer' : 'Bearer error="invalid_token"'
}
