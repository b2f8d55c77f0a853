import fp from 'fastify-plugin'
import { createSigner, type MasterKey } from '../../src/kernel/index.ts'
import {
  MediaError, collections, createLinks, createMediaRepository, createMediaService, fileReady, fileRejected,
  processFile, receiveFile, type MediaService
} from '../../src/media/index.ts'

declare module 'fastify' {
  interface FastifyInstance { media: MediaService }
}

export interface MediaOptions {
  masterKeys: readonly MasterKey[]
  /** Origin of signed addresses; empty: they are relative. */
  publicUrl: string
}

export default fp<MediaOptions>(async function media (app, { masterKeys, publicUrl }) {
  app.declare({
    domain: 'media',
    errors: MediaError,
    events: [fileReady, fileRejected],
    subscribers: [receiveFile],
    jobs: [processFile],
    collections
  })
  app.decorate('media', createMediaService({
    files: createMediaRepository(app.db, app.clock),
    storage: app.storage,
    links: createLinks(createSigner(masterKeys, 'media-links'), publicUrl),
    events: app.events,
    jobs: app.jobs,
    clock: app.clock
  }))
}, { name: 'media', dependencies: ['mongo', 'queue', 'events', 'storage', 'identity'] })
