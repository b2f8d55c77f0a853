import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  NewReportRunSchema, ReportFileParams, ReportListSchema, ReportNameParams, ReportQuerySchema, ReportRunPageSchema,
  ReportRunQuerySchema, ReportRunSchema, buildReport
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, OperationSchema, ref } from '../../src/kernel/schemas.ts'
import { accept } from './accepted.ts'

const by = ['session', 'apiKey'] as const
const read = { by, permission: 'jobs:report:read' }
const tags = ['jobs']
const ofKind = { none: 'The name is of a kind of report, not a resource.' }

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/reports', {
    schema: {
      operationId: 'listReportKinds', tags, summary: 'Reports that can be built, with their newest revision',
      querystring: ref(ReportQuerySchema), response: { 200: ref(ReportListSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query }) => ({ data: await app.reports.list(actor, query) }))

  app.get('/reports/:name/runs', {
    schema: {
      operationId: 'listReportRuns', tags, summary: 'Revisions of a report of all periods, newest first',
      params: ref(ReportNameParams), querystring: ref(ReportRunQuerySchema), response: { 200: ref(ReportRunPageSchema) }
    },
    config: { auth: { ...read, owner: ofKind }, limit: 'list' }
  }, async ({ actor, params: { name }, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listReportRuns ${JSON.stringify({ name, ...filter })}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await app.reports.past(actor, name, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.post('/reports/:name/runs', {
    schema: {
      operationId: 'startReportRun', tags, summary: 'Build a report of a period',
      params: ref(ReportNameParams), body: ref(NewReportRunSchema), response: { 202: ref(OperationSchema) }
    },
    config: {
      auth: {
        by, permission: 'jobs:report:operate', owner: ofKind
      },
      limit: 'write',
      idempotency: 'optional'
    }
  }, async ({ actor, params, body }, reply) => {
    const id = await app.reports.start(actor, params.name, body)
    await accept(app, reply, buildReport, { id }, `/v1/jobs/reports/runs/${id}`)
  })

  app.get('/reports/runs/:id', {
    schema: {
      operationId: 'getReportRun', tags, summary: 'A report of one period, with its files',
      params: ref(IdParams), response: { 200: ref(ReportRunSchema) }
    },
    config: { auth: { ...read, owner: 'param:id' }, limit: 'read' }
  }, async ({ actor, params }) => await app.reports.run(actor, params.id))

  app.get('/reports/runs/:id/files/:format', {
    schema: {
      operationId: 'getReportFile', tags, summary: 'A file of a report',
      params: ref(ReportFileParams),
      response: {
        200: { content: { 'text/csv': { schema: Type.String() }, 'application/x-ndjson': { schema: Type.String() } } }
      }
    },
    config: { auth: { ...read, owner: 'param:id' }, limit: 'read' }
  }, async ({ actor, params: { id, format } }, reply) => {
    const { file, body } = await app.reports.file(actor, id, format)
    return await reply.type(file.type).header('content-disposition', `attachment; filename="report-${id}.${format}"`)
      .header('content-length', file.bytes).send(body as never)
  })
}

export default routes
