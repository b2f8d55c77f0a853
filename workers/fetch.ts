import type { FastifyPluginAsync } from 'fastify'

const fetch: FastifyPluginAsync = async () => {}

export default fetch
