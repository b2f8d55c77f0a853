import scalar from '@scalar/fastify-api-reference'
import type { FastifyPluginAsync } from 'fastify'
import { createCompressed, type Compressed } from '../pages/compress.ts'
import { inlineHashes } from '../pages/page.ts'

/** The docs page: all of it from this server, under a policy with the hash of its one inline script. */
export const reference: FastifyPluginAsync = async (app) => {
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
  let script: Compressed | undefined
  app.addHook('onSend', async (request, reply, payload) => {
    const type = String(reply.getHeader('content-type'))
    if (type.startsWith('text/html')) reply.header('content-security-policy', policyOf(String(payload)))
    if (!type.startsWith('application/javascript') || typeof payload !== 'string') return payload
    script ??= createCompressed(Buffer.from(payload))
    const { encoding, bytes } = await script(request.headers['accept-encoding'])
    if (encoding !== 'identity') reply.header('content-encoding', encoding)
    reply.headers({ 'cache-control': 'public, max-age=3600', vary: 'accept-encoding', 'content-length': bytes.length })
    return bytes
  })
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
