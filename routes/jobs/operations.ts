import type { FastifyPluginAsync } from 'fastify'

const operations: FastifyPluginAsync = async () => {}

export default operations
