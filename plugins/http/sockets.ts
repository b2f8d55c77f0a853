import fastifyWebsocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { frameLimits, subprotocol } from '../../src/kernel/index.ts'
import { createHub, type Hub, type SocketsOptions } from './sockets/hub.ts'

declare module 'fastify' {
  interface FastifyInstance { hub: Hub }
}

export default fp<SocketsOptions>(async function sockets (app, options) {
  const hub = createHub(app, options)
  await app.register(fastifyWebsocket, {
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
  app.decorate('hub', hub)
  if (options.offline !== true) app.addHook('onReady', () => { hub.checkTopics() })
  app.addHook('onClose', () => { hub.close() })
}, { name: 'sockets', dependencies: ['pubsub', 'auth'] })
