import fp from 'fastify-plugin'
import { StorageError, type Storage } from '../src/kernel/index.ts'
import { createGridFsStorage, storageCollections } from './storage/gridfs.ts'

declare module 'fastify' {
  interface FastifyInstance { storage: Storage }
}

export default fp<{ offline: boolean }>(async function storage (app) {
  app.declare({ domain: 'storage', errors: StorageError, collections: storageCollections })
  app.decorate('storage', createGridFsStorage(app.db, app.clock))
}, { name: 'storage', dependencies: ['errors', 'mongo'] })
