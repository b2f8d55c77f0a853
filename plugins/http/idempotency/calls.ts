import type { FastifyRequest } from 'fastify'
import { HttpError } from '../../../src/kernel/index.ts'
import { timeoutOf } from '../context/deadline.ts'

const form = /^[\x20-\x7e]{1,255}$/

/** The key of a request without its quotes; undefined without one. Throws `http.bad_request`. */
export function keyOf (request: FastifyRequest): string | undefined {
  const given = request.headers['idempotency-key']
  if (given === undefined) return undefined
  const key = typeof given === 'string' ? given.replace(/^"(.*)"$/, '$1') : ''
  if (form.test(key)) return key
  throw HttpError.bad_request({}, { detail: 'An Idempotency-Key has 1 to 255 printable characters.' })
}

/** What makes two requests with one key the same call. */
export function callOf (request: FastifyRequest, key: string) {
  const { actor, routeOptions, method } = request
  return {
    workspaceId: actor.workspaceId,
    principal: `${actor.kind} ${actor.id}`,
    method,
    route: routeOptions.url ?? '',
    key,
    input: [request.params, request.query, request.body ?? null],
    location: request.url.split('?', 1)[0] as string,
    timeoutMs: timeoutOf(request)
  }
}

const kept = ['content-type', 'location', 'etag', 'retry-after']
const largestBody = 256 * 1024

/** Whether an answer is given again: what succeeded, and what the domain refused. */
export function isKept (status: number, body: unknown): body is string | Buffer {
  if (status === 401 || status === 408 || status === 429 || status >= 500) return false
  return (typeof body === 'string' || Buffer.isBuffer(body)) && Buffer.byteLength(body) <= largestBody
}

export function headersOf (headers: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(kept.flatMap((name) => headers[name] === undefined ? [] : [[name, String(headers[name])]]))
}
