import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  BackupPageSchema, BackupQuerySchema, backUpDatabase, presentBackup, proveBackup
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, OperationSchema, ref } from '../../src/kernel/schemas.ts'
import { accept } from './accepted.ts'

const by = ['session', 'apiKey'] as const
const operate = { by, permission: 'jobs:backup:operate' }
const tags = ['jobs']
const scope = 'listBackups'

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/backups', {
    schema: {
      operationId: 'listBackups', tags, summary: 'Backups of the database, newest first',
      querystring: ref(BackupQuerySchema), response: { 200: ref(BackupPageSchema) }
    },
    config: { auth: { by, permission: 'jobs:backup:read' }, limit: 'list' }
  }, async ({ query: { limit = 25, cursor } }) => {
    const before = cursor === undefined ? {} : { before: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await app.backups.list({ limit, ...before })
    return toPage(rows, limit, { cursors: app.cursors, scope, present: presentBackup, values: ({ _id }) => [_id] })
  })

  app.post('/backups', {
    schema: {
      operationId: 'startBackup', tags, summary: 'Back the database up now', response: { 202: ref(OperationSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async (_request, reply) => {
    await accept(app, reply, backUpDatabase, { id: await app.backups.start() })
  })

  app.post('/backups/:id/prove', {
    schema: {
      operationId: 'proveBackup', tags, summary: 'Restore a backup into a scratch database and compare it',
      params: ref(IdParams), response: { 202: ref(OperationSchema) }
    },
    config: {
      auth: { ...operate, owner: { none: 'Backups are of the installation; the permission is the operators\' own.' } },
      limit: 'write',
      idempotency: 'optional'
    }
  }, async ({ params }, reply) => {
    await accept(app, reply, proveBackup, { id: await app.backups.startProof(params.id) })
  })
}

export default routes
