import type { FastifyPluginAsync } from 'fastify'
import { replayEvents, replayLetters } from '../src/jobs/index.ts'

const jobs: FastifyPluginAsync = async (app) => {
  app.handleJob(replayLetters, async (ctx) => await app.letters.carry(ctx))
  app.handleJob(replayEvents, async (ctx) => await app.eventLog.carry(ctx))
}

export default jobs
