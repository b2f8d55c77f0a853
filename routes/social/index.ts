import type { FastifyPluginAsync } from 'fastify'
import accounts from './accounts.ts'
import connections from './connections.ts'
import live from './live.ts'
import media from './media.ts'
import posts from './posts.ts'
import reports from './reports.ts'

const routes: FastifyPluginAsync = async (app) => {
  await app.register(connections)
  await app.register(accounts)
  await app.register(posts)
  await app.register(media)
  await app.register(reports)
  await app.register(live)
}

export default routes
