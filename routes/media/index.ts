import type { FastifyPluginAsync } from 'fastify'

const media: FastifyPluginAsync = async () => {}

export default media
