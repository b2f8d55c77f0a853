import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError } from '../../src/kernel/index.ts'
import { begin, commonHeaders } from './server-options/answer.ts'

export interface HeadersOptions {
  publicUrl: string
  /** Other origins whose pages may call us. */
  origins: readonly string[]
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets the routes of this scope read and set cookies. */
    useCookies (scope: FastifyInstance): Promise<void>
  }
}

const exposed = [
  'x-request-id', 'etag', 'link', 'location', 'ratelimit', 'ratelimit-policy', 'retry-after', 'idempotency-replayed',
  'deprecation', 'sunset'
]

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

const policy: FastifyHelmetOptions = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  strictTransportSecurity: { maxAge: 31_536_000 },
  referrerPolicy: { policy: 'no-referrer' },
  crossOriginResourcePolicy: { policy: 'same-origin' },
  crossOriginOpenerPolicy: { policy: 'same-origin' },
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xFrameOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false
}

export default fp<HeadersOptions>(async function headers (app, { publicUrl, origins }) {
  const allowed = new Set(publicUrl === '' ? origins : [publicUrl, ...origins])
  const table = { ...await tableOf(policy), 'permissions-policy': '' }
  const common = commonHeaders(table)

  // Our own pages need no permission, so without other origins there is nobody to answer.
  if (origins.length > 0) {
    await app.register(cors, {
      origin: [...allowed],
      credentials: true,
      maxAge: 600,
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: exposed,
      strictPreflight: false
    })
  }
  // Their hooks cost every answer: only the routes that set or read one have them.
  app.decorate('useCookies', async (scope: FastifyInstance) => { await scope.register(cookie) })

  app.addHook('onRequest', (request, reply, done) => {
    if (!begin(reply, common)) reply.headers(table)
    // A browser sends cookies along with what any page makes it ask: such a call must come from our own (4.15).
    const { method = '', headers } = request.raw
    const isForged = headers.cookie !== undefined && !safeMethods.has(method) && !isOurs(request, allowed)
    if (isForged) done(HttpError.csrf_rejected())
    else done()
  })
}, { name: 'headers', dependencies: ['context'] })

/** What helmet says to every answer is the same for all of them: it is asked once. */
async function tableOf (options: FastifyHelmetOptions): Promise<Record<string, string>> {
  const probe = Fastify()
  await probe.register(helmet, options)
  probe.get('/', async () => '')
  const { headers } = await probe.inject('/')
  await probe.close()
  const ofHelmet = /^(content-security|cross-origin|referrer|strict-transport|x-)/
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => ofHelmet.test(name) ? [[name, String(value)]] : [])
  )
}

function isOurs (request: FastifyRequest, allowed: ReadonlySet<string>): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin } = request.headers
  return origin !== undefined && (allowed.has(origin) || origin === `${request.protocol}://${request.host}`)
}
