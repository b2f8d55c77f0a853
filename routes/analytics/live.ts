import type { FastifyPluginAsync } from 'fastify'
import { AnalyticsAlerts, AnalyticsLive } from '../../src/analytics/index.ts'

const live: FastifyPluginAsync = async (app) => {
  const { access } = app.analyticsDomain
  app.live.topic(AnalyticsLive, { join: async (actor, { workspaceId }) => { await access.workspace(actor, workspaceId) } })
  app.live.topic(AnalyticsAlerts, { join: async (actor, { workspaceId }) => { await access.workspace(actor, workspaceId) } })
}

export default live
