import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, Sha256 } from '../../src/kernel/schemas.ts'

const LinkParams = Type.Object({
  workspaceId: Id,
  hash: Sha256,
  name: Type.String({ pattern: '^[a-z0-9]{1,16}\\.[a-z0-9]{1,5}$', maxLength: 24 })
}, { additionalProperties: false })

const short = Type.Optional(Type.String({ maxLength: 64 }))
const LinkQuery = Type.Object({ e: short, k: short, s: short, d: short }, { additionalProperties: false })

const Bytes = Type.Unsafe<unknown>({ type: 'string', description: 'The bytes, of the type that was found in them' })
const Nothing = Type.Unsafe<unknown>({ type: 'null' })

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/m/:workspaceId/:hash/:name',
    schema: {
      operationId: 'getMedia', tags: ['media'], summary: 'Bytes of a file by its signed address',
      params: LinkParams, querystring: LinkQuery, response: { 200: Bytes, 206: Bytes, 304: Nothing, 416: Nothing }
    },
    config: { auth: { public: 'The signature of the address is the proof.' }, limit: 'media' },
    handler: async (request, reply) => {
      const { method, headers: { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch } } = request
      const answer = await app.media.deliver(
        { ...request.params, ...request.query }, { method, range, ifRange: ifRange as string, ifNoneMatch })
      return await reply.code(answer.status).headers(answer.headers).send(answer.body)
    }
  })
}

export default routes
