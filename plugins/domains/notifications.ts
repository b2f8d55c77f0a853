import fp from 'fastify-plugin'
import type { NotificationsService } from '../../src/notifications/index.ts'

export interface NotificationsOptions {
  publicUrl: string
  mail: { driver: 'smtp' | 'capture', from: string }
}

declare module 'fastify' {
  interface FastifyInstance { notifications: NotificationsService }
}

export default fp<NotificationsOptions>(async function notifications (app) {
  app.declare({ domain: 'notifications' })
  app.decorate('notifications', {} as NotificationsService)
}, { name: 'notifications', dependencies: ['identity', 'mail'] })
