import type { FastifyPluginAsync } from 'fastify'
import batches from './batches.ts'
import live from './live.ts'
import operations from './operations.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(batches)
  await app.register(live)
  await app.register(operations)
}

export default jobs
