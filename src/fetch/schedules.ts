import { defineSchedule, type ScheduleDefinition } from '../kernel/index.ts'
import { sweepParts } from './jobs.ts'

/** Parts of downloads that nobody goes on with are removed. */
export const fetchSchedules: readonly ScheduleDefinition[] = [
  defineSchedule({ name: 'fetch.sweep-parts-often', job: sweepParts, data: {}, spec: { cron: '*/10 * * * *' } })
]
