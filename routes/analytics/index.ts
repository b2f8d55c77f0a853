import type { FastifyPluginAsync } from 'fastify'
import alerts from './alerts.ts'
import data from './data.ts'
import events from './events.ts'
import live from './live.ts'

const analytics: FastifyPluginAsync = async (app) => {
  await app.register(events)
  await app.register(data)
  await app.register(alerts)
  await app.register(live)
}

export default analytics
