import type { FastifyPluginAsync } from 'fastify'
import { downloadFile } from '../src/fetch/index.ts'

const fetch: FastifyPluginAsync = async (app) => {
  app.handleJob(downloadFile, async (ctx) => { await app.downloads.carry(ctx, app.storage) })
}

export default fetch
