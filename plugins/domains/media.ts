import fp from 'fastify-plugin'
import type { MasterKey } from '../../src/kernel/index.ts'
import type { MediaService } from '../../src/media/index.ts'

declare module 'fastify' {
  interface FastifyInstance { media: MediaService }
}

export interface MediaOptions { masterKeys: readonly MasterKey[], publicUrl: string }

export default fp<MediaOptions>(async function media (app) {
  app.decorate('media', { links: async () => new Map() })
}, { name: 'media', dependencies: ['mongo', 'queue', 'events', 'storage'] })
