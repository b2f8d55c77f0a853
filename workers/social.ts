import type { FastifyPluginAsync } from 'fastify'

const social: FastifyPluginAsync = async () => {}

export default social
