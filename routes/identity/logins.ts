import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { LoginResultSchema, NewLoginSchema } from '../../src/identity/index.ts'
import { ref } from '../../src/kernel/schemas.ts'
import { factsOf, tokensFor } from './tokens-answer.ts'

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/logins', {
    bodyLimit: 4096,
    schema: {
      operationId: 'logIn',
      tags: ['identity'],
      summary: 'Open a session with address and password',
      body: ref(NewLoginSchema),
      response: { 200: ref(LoginResultSchema) }
    },
    config: { auth: { public: 'The password is the proof of this call.' }, limit: 'auth' }
  }, async (request, reply) => {
    const { user, tokens } = await app.identity.logIn(request.body, factsOf(request, request.body))
    return { user, ...tokensFor(reply, request.body.client, tokens) }
  })
}

export default routes
