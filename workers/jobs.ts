import type { FastifyPluginAsync } from 'fastify'

const jobs: FastifyPluginAsync = async () => {}

export default jobs
