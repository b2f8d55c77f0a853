import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  DiscardReportSchema, GroupListSchema, GroupQuerySchema, LetterDetailSchema, LetterDiscardSchema, LetterEditSchema,
  LetterExportQuerySchema, LetterPageSchema, LetterQuerySchema, LetterReplaySchema, ReplayReportSchema, RulesSchema,
  replayLetters
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, OperationSchema, ref } from '../../src/kernel/schemas.ts'
import { accept } from './accepted.ts'

const by = ['session', 'apiKey'] as const
const read = { by, permission: 'jobs:letter:read' }
const operate = { by, permission: 'jobs:letter:operate' }
const tags = ['jobs']

const routes: FastifyPluginAsyncTypebox = async (app) => {
  const { letters, letterRules } = app

  app.get('/dead-letters/groups', {
    schema: {
      operationId: 'listDeadLetterGroups', tags, summary: 'Open dead letters by what went wrong',
      querystring: ref(GroupQuerySchema), response: { 200: ref(GroupListSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query }) => ({ data: await letters.groups(actor, query) }))

  app.get('/dead-letters', {
    schema: {
      operationId: 'listDeadLetters', tags, summary: 'Dead letters, newest first',
      querystring: ref(LetterQuerySchema), response: { 200: ref(LetterPageSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query: { cursor, limit = 25, ...filter } }) => {
    const scope = `${actor.workspaceId} listDeadLetters ${JSON.stringify(filter)}`
    const after = cursor === undefined ? {} : { after: String(app.cursors.decode(cursor, scope)[0]) }
    const rows = await letters.list(actor, { ...filter, ...after, limit })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.get('/dead-letters/export', {
    schema: {
      operationId: 'exportDeadLetters', tags, summary: 'Dead letters with their data, a line each',
      querystring: ref(LetterExportQuerySchema),
      response: { 200: { content: { 'application/x-ndjson': { schema: Type.String() } } } }
    },
    config: { auth: read, limit: 'search' }
  }, async ({ actor, query }, reply) =>
    await reply.type('application/x-ndjson').send(Readable.from(lines(letters.all(actor, query))) as never))

  app.get('/dead-letters/rules', {
    schema: {
      operationId: 'listReplayRules', tags, summary: 'What is replayed by itself after a deploy',
      response: { 200: ref(RulesSchema) }
    },
    config: { auth: read, limit: 'read' }
  }, async ({ actor }) => ({ data: await letterRules.list(actor) }))

  app.put('/dead-letters/rules', {
    schema: {
      operationId: 'setReplayRules', tags, summary: 'Replay fingerprints by themselves from a version of the code on',
      body: ref(RulesSchema), response: { 200: ref(RulesSchema) }
    },
    config: { auth: operate, limit: 'write' }
  }, async ({ actor, body: { data } }) => ({ data: await letterRules.put(actor, data) }))

  app.get('/dead-letters/:id', {
    schema: {
      operationId: 'getDeadLetter', tags, summary: 'One dead letter with the data that a replay uses',
      params: ref(IdParams), response: { 200: ref(LetterDetailSchema) }
    },
    config: { auth: { ...read, owner: 'param:id' }, limit: 'read' }
  }, async ({ actor, params: { id } }) => await letters.get(actor, id))

  app.patch('/dead-letters/:id', {
    schema: {
      operationId: 'editDeadLetter', tags, summary: 'Change the data that a replay uses; it is validated again',
      params: ref(IdParams), body: ref(LetterEditSchema), response: { 200: ref(LetterDetailSchema) }
    },
    config: { auth: { ...operate, owner: 'param:id' }, limit: 'write' }
  }, async ({ actor, params: { id }, body: { data } }) => await letters.edit(actor, id, data))

  app.post('/dead-letters/replay', {
    schema: {
      operationId: 'replayDeadLetters', tags, summary: 'Try dead runs once more: named ones at once, a filter by a run',
      body: ref(LetterReplaySchema), response: { 200: ref(ReplayReportSchema), 202: ref(OperationSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, body }, reply) => {
    const answer = await letters.replay(actor, body)
    return 'matched' in answer ? answer : await accept(app, reply, replayLetters, answer)
  })

  app.post('/dead-letters/discard', {
    schema: {
      operationId: 'discardDeadLetters', tags, summary: 'Close dead letters without trying again',
      body: ref(LetterDiscardSchema), response: { 200: ref(DiscardReportSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async ({ actor, body }) => await letters.discard(actor, body))
}

async function * lines (letters: AsyncIterable<unknown>): AsyncGenerator<string> {
  for await (const letter of letters) yield `${JSON.stringify(letter)}\n`
}

export default routes
