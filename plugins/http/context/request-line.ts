import { symbols } from 'pino'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Actor } from '../../../src/kernel/index.ts'
import type { Output } from '../server-options/output.ts'
import { networkOf } from './address.ts'
import type { RequestContext } from './request-context.ts'
import { traceIdOf } from './trace.ts'

const silent = new Set(['/health', '/health/live', '/health/ready', '/health/startup', '/metrics'])
const mostNetworks = 10_000
const mostWaiting = 64
const info = 30

/** What is used of pino beyond its interface: its stream, and what each line begins with. */
interface Pino { levelVal?: number, [symbols.streamSym]?: Partial<Output>, [symbols.chindingsSym]?: string }

/** All that a line tells, taken when its request ends. */
interface Told {
  timeMs: number
  requestId: string
  traceId: string
  route: string
  method: string
  status: number
  code: string
  ms: number
  bytesIn: string | undefined
  bytesOut: string | number | string[] | undefined
  principal: string
  workspaceId: string
  ip: string
}

export interface RequestLines {
  add (own: RequestContext, status: number): void
  close (): void
}

/**
 * The one line of a request (`conventions.md` 4.12): no values of queries, no bodies; 499 where the client left. Lines
 * are put together here, many at once and without pino, which takes ten microseconds to find out what is known.
 */
export function createRequestLines (log: FastifyBaseLogger): RequestLines {
  const pino = log as unknown as Pino
  const { [symbols.streamSym]: stream = {}, [symbols.chindingsSym]: bindings = '' } = pino
  const { write, schedule, sources } = stream
  const routes = new WeakMap<object, string>()
  const networks = new Map<string, string>()
  let waiting: Told[] = []
  let isClosed = false

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

  function flush (): void {
    const lines = waiting
    waiting = []
    for (const one of lines) {
      const { timeMs, requestId, traceId, route, method, status, code, ms, bytesIn, bytesOut } = one
      write?.call(stream, `{"level":${info},"time":${timeMs}${bindings},` +
        `"requestId":"${requestId}",` +
        `"traceId":"${traceId === '' ? traceIdOf(requestId) : traceId}"${route}` +
        `,"method":"${method}","status":${status}` +
        `${text('code', code)},"ms":${Math.round(ms * 10) / 10}` + bytes('bytesIn', bytesIn) +
        bytes('bytesOut', bytesOut) + text('principal', one.principal) + text('workspaceId', one.workspaceId) +
        `,"ip":${network(one.ip)},"msg":"request"}\n`)
    }
  }

  sources?.add(flush)
  return {
    add (own, status) {
      if (pino.levelVal === undefined || pino.levelVal > info) return
      const route = routeOf(own)
      if (route === '') return
      waiting.push(tell(own, route, status))
      if (schedule === undefined || isClosed || waiting.length >= mostWaiting) flush()
      else schedule()
    },
    close () {
      isClosed = true
      flush()
      sources?.delete(flush)
    }
  }
}

function tell ({ reply, request, startedAt, foreignTraceId }: RequestContext, route: string, status: number): Told {
  const { id, workspaceId } = request.actor as Actor | null ?? nobody
  return {
    timeMs: Date.now(),
    requestId: request.id,
    traceId: foreignTraceId,
    route,
    method: request.raw.method ?? '',
    status,
    code: request.problemCode,
    ms: performance.now() - startedAt,
    bytesIn: request.raw.headers['content-length'],
    bytesOut: reply.getHeader('content-length'),
    principal: id,
    workspaceId,
    ip: request.ip
  }
}

const nobody = { id: '', workspaceId: '' }

/** What all lines of a route say; empty where it is not told of. */
function describe ({ routeOptions: { url = '', schema } }: FastifyRequest): string {
  if (silent.has(url)) return ''
  const { operationId } = schema as { operationId?: string } | undefined ?? {}
  const operation = operationId === undefined ? '' : `,"operationId":${JSON.stringify(operationId)}`
  return `${operation},"route":${JSON.stringify(url)}`
}

/** A word of our own, which needs no escaping. */
function text (name: string, value: string): string {
  return value === '' ? '' : `,"${name}":"${value}"`
}

function bytes (name: string, header: string | number | string[] | undefined): string {
  const count = header === undefined ? NaN : Number(header)
  return Number.isFinite(count) ? `,"${name}":${count}` : ''
}
