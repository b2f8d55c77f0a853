import type { FastifyPluginAsync } from 'fastify'

const identity: FastifyPluginAsync = async () => {}

export default identity
