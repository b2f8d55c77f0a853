import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Id, ref } from '../../src/kernel/schemas.ts'
import { ReportSchema } from '../../src/social/index.ts'

const day = Type.String({ maxLength: 32, description: 'An instant, or a day in the zone; the end is not included' })

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/reports/:name', {
    schema: {
      operationId: 'getSocialReport',
      tags: ['social'],
      summary: 'A report over at most 400 days',
      params: Type.Object({ name: Type.String({ maxLength: 64 }) }, { additionalProperties: false }),
      querystring: Type.Object({
        accountId: Type.Array(Id, { minItems: 1, maxItems: 20 }),
        from: day,
        to: day,
        zone: Type.Optional(Type.String({ maxLength: 64 }))
      }, { additionalProperties: false }),
      response: { 200: ref(ReportSchema) }
    },
    config: {
      auth: {
        by: ['session', 'apiKey'],
        permission: 'social:account:read',
        owner: { none: 'The name is one of a list; each account is judged by its own access.' }
      },
      limit: 'list'
    }
  }, async ({ actor, params: { name }, query }) => await app.social.reports.report(actor, name, query))
}

export default routes
