import type { FastifyPluginAsync } from 'fastify'

/** The slice has no job of its own yet: its loops belong to the keeper. */
const jobs: FastifyPluginAsync = async () => {}

export default jobs
