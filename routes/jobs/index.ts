import type { FastifyPluginAsync } from 'fastify'
import operations from './operations.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(operations)
}

export default jobs
