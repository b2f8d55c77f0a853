import { createHash } from 'node:crypto'
import scalar from '@scalar/fastify-api-reference'
import type { FastifyPluginAsync } from 'fastify'

/** The docs page: all of it from this server, nothing asked elsewhere, under a policy with the hash of its one inline script. */
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
  app.addHook('onSend', (_request, reply, payload, done) => {
    const isPage = String(reply.getHeader('content-type')).startsWith('text/html')
    if (isPage && typeof payload === 'string') reply.header('content-security-policy', policyOf(payload))
    done(null, payload)
  })
}

function policyOf (html: string): string {
  const scripts = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)]
  const hashes = scripts.map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
  return [
    "default-src 'none'", `script-src 'self' ${hashes.join(' ')}`, "style-src 'self' 'unsafe-inline'", "connect-src 'self'",
    "img-src 'self' data:", "font-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"
  ].join('; ')
}
