import type { FastifyPluginAsync } from 'fastify'
import alerts from './alerts.ts'
import events from './events.ts'
import live from './live.ts'
import queries from './queries.ts'

const analytics: FastifyPluginAsync = async (app) => {
  await app.register(events)
  await app.register(queries)
  await app.register(alerts)
  await app.register(live)
}

export default analytics
