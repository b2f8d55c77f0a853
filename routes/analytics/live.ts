import type { FastifyPluginAsync } from 'fastify'
import { AnalyticsAlerts, AnalyticsLive } from '../../src/analytics/index.ts'

const live: FastifyPluginAsync = async (app) => {
  const { access } = app.analyticsDomain
  for (const topic of [AnalyticsLive, AnalyticsAlerts]) {
    app.live.topic(topic, { join: async (actor, { workspaceId }) => { await access.workspace(actor, workspaceId) } })
  }
}

export default live
