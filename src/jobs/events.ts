import { Type } from 'typebox'
import { defineEvent, trouble } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'

/** The first open letter of its fingerprint. */
export const groupOpened = defineEvent({
  name: 'jobs.group.opened',
  data: Type.Object({ letterId: Id, ...trouble }, { additionalProperties: false })
})
