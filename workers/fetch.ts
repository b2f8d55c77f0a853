import type { FastifyPluginAsync } from 'fastify'
import { downloadFile, endDownload, sweepParts } from '../src/fetch/index.ts'

const fetch: FastifyPluginAsync = async (app) => {
  app.handleJob(downloadFile, async (ctx) => { await app.downloads.carry(ctx, app.storage) })
  app.handleJob(sweepParts, async (ctx) => await app.downloads.sweep(ctx.signal))
  app.onEvent(endDownload, async (event) => { await app.downloads.endDead(event) })
}

export default fetch
