import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'
import type { Actor } from '../../../src/kernel/index.ts'
import { networkOf } from './address.ts'

const nobody = { id: '', workspaceId: '' }
const silent = new Set(['/health', '/health/live', '/health/ready', '/health/startup', '/metrics'])

/** The one line of a request (`conventions.md` 4.12): no values of queries, no bodies; 499 where the client left. */
export function logRequest (
  log: FastifyBaseLogger, request: FastifyRequest, reply: FastifyReply, status: number
): void {
  const { routeOptions } = request
  const { id, workspaceId } = request.actor as Actor | null ?? nobody
  const route = routeOptions.url ?? ''
  if (silent.has(route)) return
  log.info({
    requestId: request.id,
    traceId: request.trace.slice(3, 35),
    operationId: (routeOptions.schema as { operationId?: string } | undefined)?.operationId,
    method: request.method,
    route,
    status,
    code: some(request.problemCode),
    ms: Math.round(reply.elapsedTime * 10) / 10,
    bytesIn: length(request.headers['content-length']),
    bytesOut: length(reply.getHeader('content-length')),
    principal: some(id),
    workspaceId: some(workspaceId),
    ip: networkOf(request.ip, '/24')
  }, 'request')
}

function some (text: string): string | undefined {
  return text === '' ? undefined : text
}

function length (header: string | number | string[] | undefined): number | undefined {
  return header === undefined ? undefined : Number(header)
}
