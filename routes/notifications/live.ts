import type { FastifyPluginAsync } from 'fastify'
import { InboxTopic, NotificationsError } from '../../src/notifications/index.ts'

const live: FastifyPluginAsync = async (app) => {
  app.live.topic(InboxTopic, {
    join: async (actor, { userId }) => {
      if (actor.userId !== userId) throw NotificationsError.item_not_found()
    }
  })
}

export default live
