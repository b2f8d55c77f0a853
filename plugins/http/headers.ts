import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError } from '../../src/kernel/index.ts'

export interface HeadersOptions {
  publicUrl: string
  /** Other origins whose pages may call us. */
  origins: readonly string[]
}

const exposed = [
  'x-request-id', 'etag', 'link', 'location', 'ratelimit', 'ratelimit-policy', 'retry-after', 'idempotency-replayed',
  'deprecation', 'sunset'
]

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

export default fp<HeadersOptions>(async function headers (app, { publicUrl, origins }) {
  const allowed = new Set(publicUrl === '' ? origins : [publicUrl, ...origins])

  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    strictTransportSecurity: { maxAge: 31_536_000 },
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    crossOriginOpenerPolicy: { policy: 'same-origin' }
  })
  await app.register(cors, {
    origin: [...allowed],
    credentials: true,
    maxAge: 600,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: exposed,
    strictPreflight: false
  })
  await app.register(cookie)

  // A browser sends cookies along with what any page makes it ask: such a call must come from our own (4.15).
  app.addHook('onRequest', (request, _reply, done) => {
    const isForged = request.headers.cookie !== undefined && !safeMethods.has(request.method) && !isOurs(request, allowed)
    if (isForged) done(HttpError.csrf_rejected())
    else done()
  })
}, { name: 'headers', dependencies: ['context'] })

function isOurs (request: FastifyRequest, allowed: ReadonlySet<string>): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin } = request.headers
  return origin !== undefined && (allowed.has(origin) || origin === `${request.protocol}://${request.host}`)
}
