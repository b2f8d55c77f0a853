import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { JwksSchema } from '../../src/identity/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

/** Stands without the prefix: RFC 8615 fixes its place. */
const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/.well-known/jwks.json', {
    schema: {
      operationId: 'getJwks',
      tags: ['identity'],
      summary: 'Public keys of access tokens',
      response: { 200: ref(JwksSchema) }
    },
    config: { auth: { public: 'Public keys are there to be read.' }, limit: 'free' }
  }, async (_request, reply) => await reply.header(
    'cache-control', 'public, max-age=300'
  ).send(await app.identity.jwks()))
}

export default routes
