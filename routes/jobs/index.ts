import type { FastifyPluginAsync } from 'fastify'
import backups from './backups.ts'
import live from './live.ts'
import operations from './operations.ts'
import reports from './reports.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(live)
  await app.register(operations)
  await app.register(backups, { prefix: '/jobs' })
  await app.register(reports, { prefix: '/jobs' })
}

export default jobs
