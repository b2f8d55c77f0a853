import type { FastifyPluginAsync } from 'fastify'
import board from './board.ts'
import live from './live.ts'
import operations from './operations.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(board)
  await app.register(live)
  await app.register(operations)
}

export default jobs
