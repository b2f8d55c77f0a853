import { symbols } from 'pino'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Actor } from '../../../src/kernel/index.ts'
import { networkOf } from './address.ts'
import type { RequestContext } from './request-context.ts'

const silent = new Set(['/health', '/health/live', '/health/ready', '/health/startup', '/metrics'])
const mostNetworks = 10_000
const info = 30

interface Stream { write (line: string): unknown }

/** What is used of pino beyond its interface: its stream, and what each line begins with. */
interface Pino { levelVal?: number, [symbols.streamSym]?: Stream, [symbols.chindingsSym]?: string }

/**
 * The one line of a request (`conventions.md` 4.12): no values of queries, no bodies; 499 where the client left. It is
 * put together here and handed to the stream of the logger: pino takes ten microseconds to find out what is known.
 */
export function createRequestLines (log: FastifyBaseLogger): (own: RequestContext, status: number) => void {
  const pino = log as unknown as Pino
  const { [symbols.streamSym]: stream, [symbols.chindingsSym]: bindings = '' } = pino
  const routes = new WeakMap<object, string>()
  const networks = new Map<string, string>()

  function network (ip: string): string {
    const known = networks.get(ip)
    if (known !== undefined) return known
    if (networks.size >= mostNetworks) networks.clear()
    const text = JSON.stringify(networkOf(ip, '/24'))
    networks.set(ip, text)
    return text
  }

  function routeOf ({ config, request }: RequestContext): string {
    const known = routes.get(config)
    if (known !== undefined) return known
    const text = describe(request)
    routes.set(config, text)
    return text
  }

  return function write (own, status) {
    if (stream === undefined || pino.levelVal === undefined || pino.levelVal > info) return
    const route = routeOf(own)
    if (route === '') return
    const { request, reply } = own
    const { id, workspaceId } = request.actor as Actor | null ?? nobody
    stream.write(`{"level":${info},"time":${Date.now()}${bindings},"requestId":"${request.id}",` +
      `"traceId":"${own.traceId}"${route},"status":${status}${text('code', request.problemCode)},` +
      `"ms":${Math.round((performance.now() - own.startedAt) * 10) / 10}` +
      bytes('bytesIn', request.raw.headers['content-length']) + bytes('bytesOut', reply.getHeader('content-length')) +
      `${text('principal', id)}${text('workspaceId', workspaceId)},"ip":${network(request.ip)},"msg":"request"}\n`)
  }
}

const nobody = { id: '', workspaceId: '' }

/** What all lines of a route say; empty where it is not told of. */
function describe ({ routeOptions: { url = '', schema }, method }: FastifyRequest): string {
  if (silent.has(url)) return ''
  const { operationId } = schema as { operationId?: string } | undefined ?? {}
  const operation = operationId === undefined ? '' : `,"operationId":${JSON.stringify(operationId)}`
  return `${operation},"method":"${method}","route":${JSON.stringify(url)}`
}

/** A word of our own, which needs no escaping. */
function text (name: string, value: string): string {
  return value === '' ? '' : `,"${name}":"${value}"`
}

function bytes (name: string, header: string | number | string[] | undefined): string {
  const count = header === undefined ? NaN : Number(header)
  return Number.isFinite(count) ? `,"${name}":${count}` : ''
}
