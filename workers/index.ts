import type { FastifyPluginAsync } from 'fastify'
import type { Config } from '../src/config/index.ts'
import { fetchSchedules } from '../src/fetch/index.ts'
import { standingSchedules } from '../src/jobs/index.ts'
import analytics from './analytics.ts'
import fetch from './fetch.ts'
import identity from './identity.ts'
import jobs from './jobs.ts'
import media from './media.ts'
import notifications from './notifications.ts'
import social from './social.ts'

const workers: FastifyPluginAsync<{ config: Config }> = async (app, { config }) => {
  const on = new Set(config.domains)
  // A production without a key fails every night, where somebody sees it; elsewhere there is nothing to lose.
  const wantsBackups = config.jobs.backupKey !== null || config.environment === 'production'
  await app.register(jobs)
  await app.register(fetch)
  app.declare({ domain: 'jobs', schedules: standingSchedules({ wantsBackups }) })
  app.declare({ domain: 'fetch', schedules: fetchSchedules })
  if (on.has('identity')) await app.register(identity)
  if (on.has('media')) await app.register(media)
  if (on.has('analytics')) await app.register(analytics)
  if (on.has('notifications')) await app.register(notifications)
  if (on.has('social')) await app.register(social)
}

export default workers
