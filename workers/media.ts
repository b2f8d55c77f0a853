import type { FastifyPluginAsync } from 'fastify'
import { processFile, receiveFile } from '../src/media/index.ts'

const media: FastifyPluginAsync = async (app) => {
  app.onEvent(receiveFile, async (event, ctx) => {
    await ctx.commit(async (session) => { await app.media.receive(session, event) })
  })
  app.handleJob(processFile, async (ctx) => { await app.media.process(ctx, app.images) })
}

export default media
