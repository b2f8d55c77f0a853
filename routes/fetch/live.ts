import type { FastifyPluginAsync } from 'fastify'
import { downloadTopic } from '../../src/fetch/index.ts'

const live: FastifyPluginAsync = async (app) => {
  app.live.topic(downloadTopic, {
    join: async (actor, { downloadId }) => { await app.downloads.follow(actor, downloadId) }
  })
}

export default live
