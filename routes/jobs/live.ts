import type { FastifyPluginAsync } from 'fastify'
import { queueTopic, runTopic } from '../../src/jobs/index.ts'

const live: FastifyPluginAsync = async (app) => {
  app.live.topic(queueTopic, { join: async (actor, { queue }) => app.queueControl.access(actor, queue) })
  app.live.topic(runTopic, { join: async (actor, { runId }) => await app.runs.operation(actor, runId) })
}

export default live
