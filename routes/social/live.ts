import type { FastifyPluginAsync } from 'fastify'
import { accountTopic, downloadsTopic, feedTopic } from '../../src/social/index.ts'

const live: FastifyPluginAsync = async (app) => {
  for (const topic of [accountTopic, feedTopic, downloadsTopic]) {
    app.live.topic(topic, { join: async (actor, { accountId }) => { await app.social.lists.follow(actor, accountId) } })
  }
}

export default live
