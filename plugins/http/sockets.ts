import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { frameLimits, subprotocol } from '../../src/kernel/index.ts'
import { createHub, type Hub, type SocketsOptions } from './sockets/hub.ts'

declare module 'fastify' {
  interface FastifyInstance {
    hub: Hub
    /** Lets the routes of this scope take sockets. */
    useSockets (scope: FastifyInstance): Promise<void>
  }
}

export default fp<SocketsOptions>(async function sockets (app, options) {
  const hub = createHub(app, options)
  // Their hooks cost every answer: only the door has them.
  app.decorate('useSockets', async (scope: FastifyInstance) => {
    await scope.register(fastifyWebsocket, {
      options: {
        maxPayload: frameLimits.frame,
        perMessageDeflate: false,
        clientTracking: false,
        handleProtocols: (offered) => offered.has(subprotocol) ? subprotocol : false
      },
      // A broken socket closes itself with the code of its fault; there is nothing to tell.
      errorHandler: (error) => { app.log.debug({ err: error }, 'socket') },
      preClose: (done) => { hub.drain().then(() => { done() }, done) }
    })
  })
  app.decorate('hub', hub)
  if (options.offline !== true) app.addHook('onReady', () => { hub.checkTopics() })
  app.addHook('onClose', () => { hub.close() })
}, { name: 'sockets', dependencies: ['pubsub', 'auth'] })
