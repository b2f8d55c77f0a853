import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { RefreshSchema, TokensSchema } from '../../src/identity/index.ts'
import { isDomainError } from '../../src/kernel/index.ts'
import { ref } from '../../src/kernel/schemas.ts'
import { forgetCookie, refreshCookie, tokensFor } from './tokens-answer.ts'

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/tokens/refresh', {
    bodyLimit: 4096,
    schema: {
      operationId: 'refreshTokens',
      tags: ['identity'],
      summary: 'Exchange a refresh token, from the cookie or the body, for new tokens',
      body: ref(RefreshSchema),
      response: { 200: ref(TokensSchema) }
    },
    config: { auth: { public: 'The refresh token is the proof of this call.' }, limit: 'refresh' }
  }, async (request, reply) => {
    const { refreshToken } = request.body
    const client = refreshToken === undefined ? 'web' : 'native'
    try {
      return tokensFor(reply, client, await app.identity.refresh(refreshToken ?? request.cookies[refreshCookie] ?? ''))
    } catch (error) {
      if (client === 'web' && isDomainError(error, 'identity.session_ended')) forgetCookie(reply)
      throw error
    }
  })
}

export default routes
