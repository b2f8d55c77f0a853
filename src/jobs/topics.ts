import { Type } from 'typebox'
import { defineTopic } from '../kernel/index.ts'
import { At, Id, OneOf } from '../kernel/schemas.ts'
import { QueueSchema } from './schemas.ts'

/** Progress and outcome of a run, for whoever started it. */
export const runTopic = defineTopic('jobs.run:{runId}', {
  class: 'state',
  source: 'lossy',
  kinds: {
    run: Type.Object({
      id: Id,
      type: Type.String({ maxLength: 128 }),
      state: OneOf(['pending', 'running', 'succeeded', 'failed', 'cancelled']),
      progress: Type.Optional(Type.Object({
        done: Type.Number(),
        total: Type.Optional(Type.Number()),
        unit: Type.Optional(Type.String({ maxLength: 32 })),
        step: Type.Optional(Type.String({ maxLength: 64 }))
      }, { additionalProperties: false })),
      error: Type.Optional(Type.Object({
        class: Type.String({ maxLength: 32 }), code: Type.String({ maxLength: 128 })
      }, { additionalProperties: false, description: 'Why it is dead.' })),
      at: At
    }, { additionalProperties: false })
  },
  rate: { perKeyPerSec: 2, edges: ['state'] }
})

/** How a queue stands, for operators; the same as `GET /v1/jobs/queues` says. */
export const queueTopic = defineTopic('jobs.queue:{queue}', {
  class: 'state',
  source: 'lossy',
  kinds: { queue: Type.Object(QueueSchema.properties, { additionalProperties: false }) },
  rate: { perKeyPerSec: 2 }
})
