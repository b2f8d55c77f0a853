import { Type } from 'typebox'
import { defineEvent } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

/** A batch is sealed and all of its runs have ended. */
export const batchCompleted = defineEvent({
  name: 'jobs.batch.completed',
  data: Type.Object({ batchId: Id, name: Type.String({ maxLength: 128 }) }, { additionalProperties: false })
})
