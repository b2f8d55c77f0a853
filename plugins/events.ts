import fp from 'fastify-plugin'
import type { EventBus } from '../src/kernel/index.ts'

declare module 'fastify' {
  interface FastifyInstance { events: EventBus }
}

export default fp<{ offline?: boolean }>(async function events (app) {
  app.decorate('events', { async emit () { return '' }, async replay () { return [] } } as EventBus)
}, { name: 'events', dependencies: ['mongo', 'queue'] })
