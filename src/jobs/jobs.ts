import { Type } from 'typebox'
import { defineJob, lanes } from '../kernel/index.ts'
import { At, OneOf } from '../kernel/schemas.ts'
import { LetterFilterSchema, rates } from './schemas.ts'

const Scope = Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 1 }))

/** Makes new runs of all open letters that match, so many a second. */
export const replayLetters = defineJob({
  name: 'jobs.replay-letters',
  queue: 'upkeep',
  data: Type.Object({
    /** Workspaces whose letters are meant; without it all of them. */
    scope: Scope, filter: LetterFilterSchema, ratePerS: rates, lane: OneOf(lanes)
  }, { additionalProperties: false })
})

/** Ends the waiting runs of an order to cancel, which are kept from starting already. */
export const endCancelled = defineJob({
  name: 'jobs.end-cancelled',
  queue: 'upkeep',
  data: Type.Object({ order: Type.String({ maxLength: 64 }) }, { additionalProperties: false })
})

/** Has one subscriber hear events of the log once more. */
export const replayEvents = defineJob({
  name: 'jobs.replay-events',
  queue: 'upkeep',
  data: Type.Object({
    scope: Scope,
    type: Type.String({ maxLength: 128 }),
    subject: Type.Optional(Type.Object({
      type: Type.String({ maxLength: 64 }), id: Type.String({ maxLength: 128 })
    }, { additionalProperties: false })),
    from: At,
    to: At,
    subscriber: Type.String({ maxLength: 128 }),
    ratePerS: rates
  }, { additionalProperties: false })
})
