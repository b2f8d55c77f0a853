import type { FastifyPluginAsync } from 'fastify'
import {
  advanceRun, fanOutTrigger, publishInbox, sendEmail, startAlertRaised, startAlertResolved, startVerifyEmail
} from '../src/notifications/index.ts'

const notifications: FastifyPluginAsync = async (app) => {
  const { notifications: service } = app
  app.onEvent(startAlertRaised, async (event, ctx) => { await service.startAlert(event, 'raised', ctx) })
  app.onEvent(startAlertResolved, async (event, ctx) => { await service.startAlert(event, 'resolved', ctx) })
  app.onEvent(startVerifyEmail, async (event, ctx) => { await service.startVerifyEmail(event, ctx) })
  app.onEvent(publishInbox, async (event) => { await service.inbox.publish(event) })
  app.handleJob(fanOutTrigger, async (ctx) => { await service.fanOut(ctx) })
  app.handleJob(advanceRun, async (ctx) => { await service.advance(ctx) })
  app.handleJob(sendEmail, async (ctx) => { await service.sendEmail(ctx) })
}

export default notifications
