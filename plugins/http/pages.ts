import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError } from '../../src/kernel/index.ts'
import { readConsolePage, readPageFiles } from './pages/files.ts'
import { preparePage } from './pages/page.ts'

const icon = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' +
  '<rect width="32" height="32" rx="7" fill="#1f4f8f"/>' +
  '<path d="M6 10h8l8 12h4M6 22h8l8-12h4" fill="none" stroke="#fff" stroke-width="3"/></svg>'

export interface PagesOptions {
  /** The page asks for captured mails only where there are any. */
  mails: 'smtp' | 'capture'
}

const routerOf = ({ mails }: PagesOptions): FastifyPluginAsync => async (app) => {
  const files = readPageFiles()
  const { html, csp, etag } = preparePage(
    readConsolePage(), files.hash, { modules: files.modulesOf('console/main.ts'), mails })

  async function console (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    reply.headers({ 'content-security-policy': csp, 'cache-control': 'no-cache', etag })
    if (request.headers['if-none-match'] === etag) return await reply.code(304).send()
    return await reply.type('text/html; charset=utf-8').send(html)
  }

  app.get('/', async (_request, reply) => await reply.redirect('/console'))
  app.get('/console', console)
  // Addresses of the console's own history: the page finds its view.
  app.get('/console/*', console)
  app.get('/favicon.ico', async (_request, reply) =>
    await reply.type('image/svg+xml').header('cache-control', 'public, max-age=86400').send(icon))
  app.get<{ Params: { hash: string, '*': string } }>('/assets/:hash/*', async (request, reply) => {
    const file = request.params.hash === files.hash ? files.get(request.params['*']) : undefined
    if (file === undefined) throw HttpError.route_not_found()
    const { encoding, bytes } = await file.send(request.headers['accept-encoding'])
    if (encoding !== 'identity') reply.header('content-encoding', encoding)
    return await reply.type(file.type)
      .headers({ 'cache-control': 'public, max-age=31536000, immutable', vary: 'accept-encoding' })
      .send(bytes)
  })
}

export default fp<PagesOptions>(async function pages (app, options) {
  await app.mount('', routerOf(options), {
    auth: {
      public: 'A page is only code; what it shows it asks for with the proof of its reader.'
    }, limit: 'free', hide: true
  })
}, { name: 'pages', dependencies: ['auth'] })
