import type { FastifyPluginAsync } from 'fastify'
import live from './live.ts'
import operations from './operations.ts'
import schedules, { scheduleSlots } from './schedules.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(live)
  await app.register(operations)
  await app.register(schedules)
  await app.register(scheduleSlots)
}

export default jobs
