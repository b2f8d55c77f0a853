import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NewPasswordSchema, UserSchema } from '../../src/identity/index.ts'
import { ref } from '../../src/kernel/schemas.ts'

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/users/me', {
    schema: {
      operationId: 'getMe', tags: ['identity'], summary: 'The own account', response: { 200: ref(UserSchema) }
    },
    config: { auth: { by: ['session', 'apiKey'], permission: 'self' }, limit: 'read' }
  }, async (request) => await app.identity.me(request.actor))

  app.put('/password', {
    bodyLimit: 4096,
    schema: {
      operationId: 'changePassword',
      tags: ['identity'],
      summary: 'Change the own password; the other sessions end unless they are kept',
      body: ref(NewPasswordSchema),
      response: { 204: { type: 'null' } }
    },
    config: {
      auth: { by: ['session'], permission: 'self', freshness: 300, isOpenBeforePasswordChange: true }, limit: 'write'
    }
  }, async (request, reply) => {
    const { newPassword, keepOthers = false } = request.body
    await app.identity.changePassword(request.actor, newPassword, { keepsOthers: keepOthers })
    return await reply.code(204).send(null)
  })
}

export default routes
