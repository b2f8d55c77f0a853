import type { FastifyPluginAsync } from 'fastify'
import capturedMails from './captured-mails.ts'
import inbox from './inbox.ts'
import live from './live.ts'

const notifications: FastifyPluginAsync = async (app) => {
  await app.register(inbox)
  await app.register(live)
  if (app.notifications.capturesMails) await app.register(capturedMails)
}

export default notifications
