import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { RouteOptions } from 'fastify'

/** Options of @fastify/swagger: 3.1, components under their own names, declarations of a route as extensions. */
export function swaggerSettings (
  { version, publicUrl }: { version: string, publicUrl: string }
): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Switchyard',
        version,
        description: 'Every failure is a problem (RFC 9457) with a stable code; each code has a page below /errors.',
        license: { name: 'MIT', identifier: 'MIT' } as never
      },
      servers: [{ url: publicUrl === '' ? '/' : publicUrl }],
      components: {
        securitySchemes: {
          session: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Access token of a session' },
          apiKey: { type: 'http', scheme: 'bearer', bearerFormat: 'sy_…', description: 'API key of a workspace' }
        }
      }
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) => String(schema['$id'] ?? `schema${index}`)
    },
    transform: ({ schema, url, route }) => ({ schema: { ...schema, ...extensions(route) } as never, url })
  }
}

function extensions ({ config, schema }: RouteOptions): object {
  const { auth, limit, idempotency } = config ?? {}
  if (schema === undefined || (schema as { operationId?: string }).operationId === undefined) return { hide: true }
  const guard = auth === undefined || 'public' in auth
    ? { security: [] }
    : { security: auth.by.map((proof) => ({ [proof]: [] })), 'x-permission': auth.permission }
  return {
    ...guard,
    ...(limit === undefined ? {} : { 'x-limit': limit }),
    ...(idempotency === undefined ? {} : { 'x-idempotency': idempotency })
  }
}
