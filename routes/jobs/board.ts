import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'

const board: FastifyPluginAsyncTypebox = async (app) => {
  await app.useCookies(app)
  app.post('/jobs/board-sessions', {
    schema: {
      operationId: 'openBoard',
      tags: ['jobs'],
      summary: 'Exchange a token for the cookie of the board, for an hour',
      response: { 204: Type.Null() }
    },
    config: { auth: { by: ['session'], permission: 'jobs:board:open' }, limit: 'write' }
  }, async (request, reply) => {
    const value = await app.board.open(request.actor)
    return await reply.setCookie(app.board.cookie, value, {
      path: '/', httpOnly: true, secure: true, sameSite: 'strict', maxAge: app.board.seconds
    }).code(204).send()
  })
}

export default board
