import type { FastifyPluginAsync } from 'fastify'
import downloads from './downloads.ts'
import live from './live.ts'

const fetch: FastifyPluginAsync = async (app) => {
  await app.register(downloads)
  await app.register(live)
}

export default fetch
