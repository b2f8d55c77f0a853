import type { FastifyPluginAsync } from 'fastify'
import {
  backUpDatabase, buildReport, clearRecords, endCancelled, proveBackup, rebuildProjection, replayEvents, replayLetters,
  startDailyReports
} from '../src/jobs/index.ts'

const jobs: FastifyPluginAsync = async (app) => {
  app.handleJob(replayLetters, async (ctx) => await app.letters.carry(ctx))
  app.handleJob(replayEvents, async (ctx) => await app.eventLog.carry(ctx))
  app.handleJob(endCancelled, async (ctx) => await app.runControl.sweep(ctx))
  app.handleJob(clearRecords, async (ctx) => await app.clearing.run(ctx))
  app.handleJob(backUpDatabase, app.backups.backUp)
  app.handleJob(proveBackup, app.backups.prove)
  app.handleJob(buildReport, app.reports.build)
  app.handleJob(startDailyReports, async (ctx) => await app.reports.startDaily(ctx))
  app.handleJob(rebuildProjection, app.projections.rebuild)
  app.addHook('onReady', async () => { await app.projections.startLate() })
}

export default jobs
