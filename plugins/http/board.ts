import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError } from '../../src/kernel/index.ts'

export interface BoardOptions { offline?: boolean }

const place = '/board'
const reads = new Set(['GET', 'HEAD'])

/** Nothing from anywhere else, and no form goes out. */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
  "font-src 'self' data:", "connect-src 'self'", "worker-src 'self' blob:", "base-uri 'self'", "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

export default fp<BoardOptions>(async function board (app, { offline = false }) {
  let loading: Promise<Loaded> | undefined
  const router: FastifyPluginAsync = async (scope) => {
    await app.useCookies(scope)
    scope.addHook('onRequest', async (request) => {
      if (!offline && await app.board.isOpen(request.cookies[app.board.cookie])) return
      throw HttpError.origin_forbidden({}, { detail: 'An operator opens the board by POST /v1/jobs/board-sessions.' })
    })
    async function show (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
      if (!reads.has(request.method)) throw HttpError.method_not_allowed()
      // The first visitor loads it: most servers never show it.
      loading ??= load(app)
      return await answer((await loading).inner, request, reply)
    }
    scope.all('/', show)
    scope.all('/*', show)
  }
  await app.mount(place, router, {
    auth: { public: 'A page sends no bearer token: its own cookie is asked for by the board.' },
    limit: 'free',
    hide: true
  })
  app.addHook('onClose', async () => {
    const loaded = await loading?.catch(() => undefined)
    await loaded?.inner.close()
    await loaded?.close()
  })
}, { name: 'board', dependencies: ['queue', 'auth', 'headers'] })

interface Loaded { inner: FastifyInstance, close: () => Promise<void> }

async function load (app: FastifyInstance): Promise<Loaded> {
  const { buildBoard } = await import('./board/page.ts')
  const queues = await app.board.openQueues()
  return { inner: await buildBoard(queues, place), close: queues.close }
}

async function answer (inner: FastifyInstance, { url }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { statusCode, headers, rawPayload } = await inner.inject({ url: url.slice(place.length) || '/' })
  return await reply.code(statusCode)
    .type(String(headers['content-type'] ?? 'application/octet-stream'))
    .headers({ 'content-security-policy': policy, 'cache-control': String(headers['cache-control'] ?? 'no-store') })
    .send(rawPayload)
}
