import fp from 'fastify-plugin'
import { createSocialService, type SocialService } from '../../src/social/index.ts'

export interface SocialOptions { publicUrl: string, contact: string }

declare module 'fastify' {
  interface FastifyInstance { social: SocialService }
}

export default fp<SocialOptions>(async function social (app) {
  app.decorate('social', createSocialService())
}, { name: 'social', dependencies: ['mongo', 'queue', 'events', 'fetch', 'identity'] })
