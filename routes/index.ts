import type { FastifyPluginAsync } from 'fastify'
import type { Config } from '../src/config/index.ts'
import analytics from './analytics/index.ts'
import fetch from './fetch/index.ts'
import identity from './identity/index.ts'
import jwks from './identity/jwks.ts'
import jobs from './jobs/index.ts'
import live from './live.ts'
import media from './media/index.ts'
import notifications from './notifications/index.ts'
import social from './social/index.ts'

const routes: FastifyPluginAsync<{ config: Config }> = async (app, { config }) => {
  const on = new Set(config.domains)
  await app.register(live)
  await app.register(jobs, { prefix: '/v1' })
  await app.register(fetch, { prefix: '/v1/fetch' })
  if (on.has('identity')) {
    await app.register(jwks)
    await app.register(identity, { prefix: '/v1/identity' })
  }
  if (on.has('media')) await app.register(media)
  if (on.has('analytics')) await app.register(analytics, { prefix: '/v1/analytics' })
  if (on.has('notifications')) await app.register(notifications, { prefix: '/v1/notifications' })
  if (on.has('social')) await app.register(social, { prefix: '/v1/social' })
}

export default routes
