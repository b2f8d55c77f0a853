import { Type } from 'typebox'
import { defineEvent } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

const word = Type.String({ maxLength: 128 })
const trouble = { name: word, class: word, code: word, fingerprint: Type.String({ maxLength: 32 }) }

/** A run will not be tried again; written with its letter. Runs that hear of deaths are not told of when they die. */
export const runDead = defineEvent({
  name: 'jobs.run.dead',
  data: Type.Object({ runId: Id, letterId: Id, ...trouble }, { additionalProperties: false })
})

/** The first open letter of its fingerprint. */
export const groupOpened = defineEvent({
  name: 'jobs.group.opened',
  data: Type.Object({ letterId: Id, ...trouble }, { additionalProperties: false })
})
