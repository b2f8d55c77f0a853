import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { deliver, spend, type Answer } from './delivery.ts'
import type { Faults, Met } from './faults.ts'
import type { Ledger, RequestEntry } from './ledger.ts'
import type { Limits } from './limits.ts'
import type { Token, World } from './world.ts'

/** What all faces stand on. */
export interface Ground {
  world: World
  ledger: Ledger
  faults: Faults
  limits: Limits
  now: () => number
  mediaBytesPerSecond: number
}

/** What a route gets. `token` is the one that the request shows, whatever its state. */
export interface Call {
  request: FastifyRequest
  origin: string
  token: Token | null
  isRangesIgnored: boolean
}

export interface Endpoint {
  method: 'GET' | 'POST'
  url: string
  operation: string
  /** Limited endpoints count against the 300 in five minutes and say so in their headers. */
  isLimited?: boolean
  /** What the request is about, for faults and the ledger. */
  about?: (request: FastifyRequest) => string
  answer: (call: Call) => Answer
}

/** The HTTP side of one platform: every request is counted, meets its faults, and is answered by its endpoint. */
export function createFace (name: string, ground: Ground): { app: FastifyInstance, add: (endpoint: Endpoint) => void } {
  const app = Fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(body as string)))
  })

  function add (endpoint: Endpoint) {
    const handler = (request: FastifyRequest, reply: FastifyReply) => serve(name, endpoint, ground, request, reply)
    app.route({ method: endpoint.method, url: endpoint.url, handler })
    if (endpoint.method === 'GET') app.route({ method: 'HEAD', url: endpoint.url, handler })
  }
  const unknown: Endpoint = {
    method: 'GET',
    url: '*',
    operation: 'unknown',
    answer: () => ({ status: 404, body: { error: 'The page you were looking for doesn\'t exist.' } })
  }
  app.setNotFoundHandler((request, reply) => serve(name, unknown, ground, request, reply))
  return { app, add }
}

async function serve (
  face: string, endpoint: Endpoint, ground: Ground, request: FastifyRequest, reply: FastifyReply
): Promise<void> {
  const { ledger, faults } = ground
  const isHead = request.method === 'HEAD'
  const token = tokenOf(request, ground.world)
  const entry = ledger.arrive({
    face,
    operation: isHead ? endpoint.operation.replace(/\.get$/, '.head') : endpoint.operation,
    method: request.method,
    url: withoutSecrets(request.url),
    remoteId: endpoint.about?.(request) ?? null,
    range: request.headers.range ?? null,
    ifRange: headerOf(request, 'if-range')
  })
  entry.account = token?.accountId ?? null
  const met = faults.meet({ ...entry, account: entry.account })
  reply.hijack()
  reply.raw.on('error', () => ledger.finish(entry, 'closed'))
  reply.raw.once('close', () => { if (!reply.raw.writableFinished) ledger.finish(entry, 'closed') })
  const answer = await answerTo({ endpoint, ground, request, token, entry, met })
  if (!answer) {
    request.raw.socket.destroy()
    return
  }
  const file = `${face} ${entry.remoteId}`
  const outcome = await deliver({
    answer,
    met,
    entry,
    raw: reply.raw,
    isHead,
    bytesPerSecond: ground.mediaBytesPerSecond,
    sent: (from, to) => { if (answer.isPaced) ledger.sent(file, from, to, answer.size!) }
  })
  ledger.finish(entry, outcome)
}

interface Exchange {
  endpoint: Endpoint
  ground: Ground
  request: FastifyRequest
  token: Token | null
  entry: RequestEntry
  met: Met[]
}

/** The answer to send, or null when the connection is to be dropped without one. */
async function answerTo (exchange: Exchange): Promise<Answer | null> {
  const { ground, request, token, endpoint, entry } = exchange
  if (await isKeptBack(exchange)) return null
  const limit = endpoint.isLimited
    ? ground.limits.take(token?.accessToken ?? request.ip)
    : { isOver: false, headers: {} }
  entry.isOverLimit = limit.isOver
  const answer = insteadOf(exchange) ?? (limit.isOver ? tooMany : produce(exchange))
  return answer && { ...answer, headers: { ...limit.headers, ...answer.headers } }
}

/** Delays, and tells whether the request ends without having had an effect. */
async function isKeptBack (exchange: Exchange): Promise<boolean> {
  const held = spend(exchange, 'delay')
  if (held) await wait(held.ms)
  if (spend(exchange, 'drop-before')) return true
  if (!spend(exchange, 'hang')) return false
  await once(exchange.request.raw.socket, 'close')
  return true
}

const tooMany: Answer = { status: 429, body: { error: 'Too many requests' } }

/** What a fault says in place of the endpoint, which then does nothing. */
function insteadOf (exchange: Exchange): Answer | null {
  const instead = spend(exchange, 'answer')
  if (!instead) return null
  const { status, headers = {}, body = null } = instead
  return { status, headers, body: body as NonNullable<Answer['body']> | null }
}

/** Lets the endpoint act; null where the answer is lost after the effect. */
function produce (exchange: Exchange): Answer | null {
  const { endpoint, request, token } = exchange
  const isRangesIgnored = request.headers.range !== undefined && spend(exchange, 'ignore-ranges') !== null
  const origin = `${request.protocol}://${request.host}`
  const answer = endpoint.answer({ request, origin, token, isRangesIgnored })
  return spend(exchange, 'drop-after') ? null : answer
}

function tokenOf (request: FastifyRequest, world: World): Token | null {
  const shown = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  return shown === undefined ? null : world.tokens.get(shown) ?? null
}

function headerOf (request: FastifyRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

// The log is shown to people and kept in reports.
function withoutSecrets (url: string): string {
  return url.replace(/([?&](?:code|state|access_token|client_secret|code_challenge)=)[^&]*/g, '$1...')
}
