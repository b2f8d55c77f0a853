import type { FastifyPluginAsync } from 'fastify'
import { downloadFile, sweepParts } from '../src/fetch/index.ts'

const fetch: FastifyPluginAsync = async (app) => {
  app.handleJob(downloadFile, async (ctx) => { await app.downloads.carry(ctx, app.storage) })
  app.handleJob(sweepParts, async (ctx) => ({ removed: await app.downloads.sweep(ctx.signal) }))
}

export default fetch
