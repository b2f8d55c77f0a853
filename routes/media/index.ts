import type { FastifyPluginAsync } from 'fastify'
import delivery from './delivery.ts'

const media: FastifyPluginAsync = async (app) => {
  await app.register(delivery)
}

export default media
