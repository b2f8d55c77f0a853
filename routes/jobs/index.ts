import type { FastifyPluginAsync } from 'fastify'
import backups from './backups.ts'
import batches from './batches.ts'
import board from './board.ts'
import capacity from './capacity.ts'
import events from './events.ts'
import letters from './letters.ts'
import live from './live.ts'
import operations from './operations.ts'
import queues from './queues.ts'
import reports from './reports.ts'
import runs from './runs.ts'
import schedules, { scheduleSlots } from './schedules.ts'

const jobs: FastifyPluginAsync = async (app) => {
  await app.register(board)
  await app.register(live)
  await app.register(operations)
  for (const routes of [runs, queues, capacity, letters, events, batches, backups, reports]) {
    await app.register(routes, { prefix: '/jobs' })
  }
  await app.register(schedules)
  await app.register(scheduleSlots)
}

export default jobs
