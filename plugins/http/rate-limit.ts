import rateLimiter from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, type Actor, type DomainError, type RateClass } from '../../src/kernel/index.ts'
import { networkOf } from './context/address.ts'
import type { Taken } from './rate-limit/buckets.ts'
import { policies, type ClassPolicy } from './rate-limit/classes.ts'
import { createSlices } from './rate-limit/slices.ts'
import { say } from './server-options/answer.ts'

export interface RateLimitOptions {
  /** Requests a minute, address and process before anything else happens. */
  floodPerMin: number
  /** The same for signed media below `/m/`. */
  mediaPerMin: number
  /** Factor on every class. */
  limitScale: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Rate class; `free` is only under the flood limit. */
    limit?: RateClass
  }
  interface FastifyInstance {
    /** Counts the call in the buckets of its route for its actor; answers the refusal, and sets the headers. */
    takeLimit (request: FastifyRequest, reply: FastifyReply): DomainError | undefined
  }
}

export default fp<RateLimitOptions>(async function rateLimit (app, { floodPerMin, mediaPerMin, limitScale }) {
  const { classes, workspace } = policies(limitScale)

  const slices = { a: createSlices(floodPerMin), m: createSlices(mediaPerMin) }

  await app.register(rateLimiter, {
    global: false,
    cache: 50_000,
    timeWindow: 60_000,
    keyGenerator: ({ raw, ip }) => `${isMedia(raw) ? 'm' : 'a'} ${networkOf(ip, 'whole')}`,
    max: ({ raw }) => slices[isMedia(raw) ? 'm' : 'a'].limit,
    errorResponseBuilder: (_request, { ttl }) => refusal('flood', ttl),
    addHeaders: {
      'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false, 'retry-after': false
    },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false }
  })
  const flood = app.rateLimit() as unknown as (request: FastifyRequest, reply: FastifyReply) => Promise<void>

  // A hook of the app, not of its routes: paths that do not exist count too.
  app.addHook('onRequest', (request, reply, done) => {
    const own = slices[isMedia(request.raw) ? 'm' : 'a']
    const network = networkOf(request.ip, 'whole')
    if (own.take(network)) {
      done()
      return
    }
    flood(request, reply).then(() => {
      own.grant(network)
      done()
    }, done)
  })

  app.decorate('takeLimit', (request: FastifyRequest, reply: FastifyReply) => {
    const policy = classes[request.context.config.limit ?? 'free']
    if (policy === null) return undefined
    const { actor, context: { startedAt } } = request
    const mine = policy.buckets.take(keyOf(policy, request, actor), startedAt)
    const all = actor.workspaceId === '' ? undefined : workspace.buckets.take(actor.workspaceId, startedAt)
    tell(reply, policy, mine, all)
    if (!mine.isAllowed) return refusal(policy.name, mine.retryAfterMs)
    return all?.isAllowed === false ? refusal(workspace.name, all.retryAfterMs) : undefined
  })

  // An attempt that succeeded was no guess (`identity.md` 4.8).
  app.addHook('onRoute', (route) => {
    const auth = route.config?.limit === 'auth' ? classes.auth : null
    if (auth === null) return
    route.onResponse = [...[route.onResponse ?? []].flat(), async (request, reply) => {
      if (reply.statusCode < 400 || reply.statusCode >= 500) auth.buckets.refund(keyOf(auth, request, request.actor))
    }]
  })
}, { name: 'rate-limit', dependencies: ['context', 'headers'] })

function isMedia ({ url = '' }: { url?: string | undefined }): boolean {
  return url.startsWith('/m/')
}

function keyOf (policy: ClassPolicy, request: FastifyRequest, actor: Actor): string {
  const isKnown = policy.by === 'principal' && actor.id !== ''
  return isKnown ? actor.userId ?? actor.id : networkOf(request.ip, policy.name === 'auth' ? '/24' : 'whole')
}

function tell (reply: FastifyReply, policy: ClassPolicy, mine: Taken, all: Taken | undefined): void {
  say(reply, 'ratelimit-policy', all === undefined ? policy.header : policy.headerWithWorkspace)
  say(reply, 'ratelimit', `"${policy.name}";r=${mine.left};t=${policy.waitS}`)
}

function refusal (bucket: string, retryAfterMs: number): DomainError {
  return HttpError.rate_limited({ bucket, cost: 1 }, { retryAfterMs })
}
