import fp from 'fastify-plugin'

export interface Images {
  ready: boolean
}

declare module 'fastify' {
  interface FastifyInstance { images: Images }
}

export default fp<{ offline: boolean }>(async function images (app) {
  app.decorate('images', { ready: true })
}, { name: 'images', dependencies: ['telemetry'] })
