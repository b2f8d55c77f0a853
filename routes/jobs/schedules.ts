import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  BackfillResultSchema, BackfillSchema, ExplanationSchema, NewScheduleSchema, SchedulePageSchema, SchedulePatchSchema,
  ScheduleQuerySchema, ScheduleSchema, ScheduleSlotPageSchema, ScheduleSlotSchema
} from '../../src/jobs/index.ts'
import { toPage } from '../../src/kernel/index.ts'
import { IdParams, pageQuery, ref } from '../../src/kernel/schemas.ts'

const read = { by: ['session', 'apiKey'], permission: 'jobs:schedule:read' } as const
const operate = { by: ['session', 'apiKey'], permission: 'jobs:schedule:operate' } as const
const one = { params: ref(IdParams), tags: ['jobs'] }
const readOne = { auth: { ...read, owner: 'param:id' }, limit: 'read' } as const
const writeOne = { auth: { ...operate, owner: 'param:id' }, limit: 'write', idempotency: 'optional' } as const

const schedules: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/jobs/schedules', {
    schema: {
      operationId: 'listSchedules', tags: ['jobs'], summary: 'Schedules, newest first',
      querystring: ref(ScheduleQuerySchema), response: { 200: ref(SchedulePageSchema) }
    },
    config: { auth: read, limit: 'list' }
  }, async ({ actor, query: { limit = 25, cursor, isEnabled } }) => {
    const scope = `${actor.workspaceId} listSchedules ${isEnabled ?? ''}`
    const before = cursor === undefined ? undefined : String(app.cursors.decode(cursor, scope)[0])
    const rows = await app.schedules.list(actor, { before, limit: limit + 1, isEnabled })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ id }) => [id], present: (row) => row })
  })

  app.post('/jobs/schedules', {
    schema: {
      operationId: 'addSchedule', tags: ['jobs'], summary: 'Make runs of a job by a rule in time',
      body: ref(NewScheduleSchema), response: { 201: ref(ScheduleSchema) }
    },
    config: { auth: operate, limit: 'write', idempotency: 'optional' }
  }, async (request, reply) => {
    const schedule = await app.schedules.add(request.actor, request.body)
    return await reply.code(201).header('location', `/v1/jobs/schedules/${schedule.id}`).send(schedule)
  })

  app.get('/jobs/schedules/:id', {
    schema: { ...one, operationId: 'getSchedule', summary: 'One schedule', response: { 200: ref(ScheduleSchema) } },
    config: readOne
  }, async ({ actor, params }) => await app.schedules.get(actor, params.id))

  app.patch('/jobs/schedules/:id', {
    schema: {
      ...one, operationId: 'changeSchedule', summary: 'Change a schedule; deploys leave it so',
      body: ref(SchedulePatchSchema), response: { 200: ref(ScheduleSchema) }
    },
    config: writeOne
  }, async ({ actor, params, body }) => await app.schedules.change(actor, params.id, body))

  app.delete('/jobs/schedules/:id', {
    schema: { ...one, operationId: 'removeSchedule', summary: 'Remove a schedule', response: { 204: Type.Null() } },
    config: writeOne
  }, async ({ actor, params }, reply) => {
    await app.schedules.remove(actor, params.id)
    return await reply.code(204).send(null)
  })
}

const steps = { pause: 'Stop a schedule', resume: 'Let a paused schedule go on from now' } as const

export const scheduleSlots: FastifyPluginAsyncTypebox = async (app) => {
  for (const verb of ['pause', 'resume'] as const) {
    app.post(`/jobs/schedules/:id/${verb}`, {
      schema: { ...one, operationId: `${verb}Schedule`, summary: steps[verb], response: { 200: ref(ScheduleSchema) } },
      config: writeOne
    }, async ({ actor, params }) => await app.schedules[verb](actor, params.id))
  }

  app.post('/jobs/schedules/:id/trigger', {
    schema: {
      ...one, operationId: 'triggerSchedule', summary: 'One slot now', response: { 200: ref(ScheduleSlotSchema) }
    },
    config: writeOne
  }, async ({ actor, params }) => await app.schedules.trigger(actor, params.id))

  app.post('/jobs/schedules/:id/backfill', {
    schema: {
      ...one, operationId: 'backfillSchedule', summary: 'Runs for old slots that have none, at most 1,000',
      body: ref(BackfillSchema), response: { 200: ref(BackfillResultSchema) }
    },
    config: writeOne
  }, async ({ actor, params, body }) => await app.schedules.backfill(actor, params.id, body))

  app.get('/jobs/schedules/:id/explain', {
    schema: {
      ...one, operationId: 'explainSchedule', summary: 'What the coming slots will do, and why',
      querystring: Type.Object({
        count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 10 }))
      }, { additionalProperties: false }),
      response: { 200: ref(ExplanationSchema) }
    },
    config: readOne
  }, async ({ actor, params, query: { count = 10 } }) => await app.schedules.explain(actor, params.id, count))

  app.get('/jobs/schedules/:id/slots', {
    schema: {
      ...one, operationId: 'listScheduleSlots', summary: 'Past slots with what became of them, newest first',
      querystring: Type.Object(pageQuery, { additionalProperties: false }),
      response: { 200: ref(ScheduleSlotPageSchema) }
    },
    config: readOne
  }, async ({ actor, params: { id }, query: { limit = 25, cursor } }) => {
    const scope = `${actor.workspaceId} listScheduleSlots ${id}`
    const before = cursor === undefined ? undefined : new Date(String(app.cursors.decode(cursor, scope)[0]))
    const rows = await app.schedules.slots(actor, id, { before, limit: limit + 1 })
    return toPage(rows, limit, { cursors: app.cursors, scope, values: ({ slotAt }) => [slotAt], present: (row) => row })
  })
}

export default schedules
