import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { HttpError } from '../src/kernel/index.ts'

/** The one WebSocket door; without an upgrade there is nothing here. */
const live: FastifyPluginAsync = async (app) => {
  await app.useSockets(app)
  app.route({
    method: 'GET',
    url: '/live',
    schema: { hide: true },
    config: { auth: { public: 'The first frame carries the proof.' }, limit: 'free' },
    preValidation: async (request: FastifyRequest) => { if (request.ws) app.hub.admit(request) },
    handler: async () => { throw HttpError.route_not_found() },
    wsHandler: (socket, request) => { app.hub.accept(socket, request) }
  })
}

export default live
