import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import { createCompressed, type Compressed } from '../pages/compress.ts'
import { inlineHashes } from '../pages/page.ts'

/**
 * The docs page: all of it from this server, under a policy with the hash of its one inline script. The library with
 * its script of 3 MB is loaded by the first visitor.
 */
export const reference: FastifyPluginAsync = async (app) => {
  let inner: Promise<FastifyInstance> | undefined
  let script: Compressed | undefined
  app.addHook('onClose', async () => { await (await inner)?.close() })
  for (const path of ['/', '/js/scalar.js']) {
    app.get(path, async (request, reply) => {
      inner ??= load()
      const { statusCode, headers, payload } = await (await inner).inject({ url: path })
      const type = String(headers['content-type'])
      reply.code(statusCode).type(type)
      if (type.startsWith('text/html')) {
        // The page stands at /docs and at /docs/: its script has one address.
        const page = payload.replace('src="js/scalar.js"', 'src="/docs/js/scalar.js"')
        return await reply.header('content-security-policy', policyOf(page)).send(page)
      }
      script ??= createCompressed(Buffer.from(payload))
      const { encoding, bytes } = await script(request.headers['accept-encoding'])
      if (encoding !== 'identity') reply.header('content-encoding', encoding)
      return await reply.headers({ 'cache-control': 'public, max-age=3600', vary: 'accept-encoding' }).send(bytes)
    })
  }
}

async function load (): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference')
  const app = Fastify()
  await app.register(scalar as never, {
    routePrefix: '/',
    configuration: {
      url: '/docs/openapi.json',
      pageTitle: 'Switchyard: the interface',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
      showDeveloperTools: 'never'
    }
  } as never)
  return app
}

function policyOf (html: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${inlineHashes(html).join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data:", "font-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
  ].join('; ')
}
