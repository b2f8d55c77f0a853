import type { FastifyPluginAsync } from 'fastify'

const notifications: FastifyPluginAsync = async () => {}

export default notifications
